// Made by "npm run types" from models.schema.json (SHA-256 739f745780ed2c01d4f1158f139bdee6d8c7ad2e1ce326a4af06abe813009489); not to be edited.

/**
 * Where an acquisition stands.
 */
export type State = "waiting" | "receiving" | "processing" | "finished" | "failed";

export interface Models {
  Acquisition?: Acquisition;
  NewAcquisition?: NewAcquisition;
  AcquisitionSettings?: AcquisitionSettings;
  Camera?: Camera;
  Closing?: Closing;
  ColumnDescription?: ColumnDescription;
  CreatedAcquisition?: CreatedAcquisition;
  GeneratorSpec?: GeneratorSpec;
  Model?: Model;
  Opening?: Opening;
  Progress?: Progress;
  State?: State;
}
/**
 * An acquisition at one moment, as HTTP, events and viewers tell it.
 */
export interface Acquisition {
  id: string;
  settings: AcquisitionSettings;
  state: State;
  created_at: string;
  /**
   * Null until the first frame.
   */
  frame_width: number | null;
  frame_height: number | null;
  /**
   * In effect; null until the first frame.
   */
  roi: string | null;
  /**
   * Of an upload, where its container tells.
   */
  frames_expected: number | null;
  /**
   * Damaged ones included.
   */
  frames_received: number;
  /**
   * Sent but never came.
   */
  frames_lost: number;
  /**
   * Came, but could not be decoded or refer to lost ones; not localized.
   */
  frames_damaged: number;
  frames_processed: number;
  localizations: number;
  chunks_received: number;
  chunks_processed: number;
  /**
   * In Redis.
   */
  waiting_chunk_bytes: number;
  /**
   * On the gateway's disk, waiting for room in Redis.
   */
  spooled_chunks: number;
  /**
   * Age of the newest frame that is in the image; null unless frames are coming or waiting.
   */
  lag_s: number | null;
  /**
   * Frames processed per second of late.
   */
  fps: number | null;
  /**
   * Until all expected frames are processed; null until known.
   */
  eta_s: number | null;
  /**
   * Null until known.
   */
  resolution_nm: number | null;
  error: string | null;
}
/**
 * What may be chosen for an acquisition; the same on the command line, in HTTP and in reports.
 */
export interface AcquisitionSettings {
  name: string;
  /**
   * Camera pixel in the sample plane.
   */
  pixel_size_nm: number;
  /**
   * Generator, by its name in the zoo.
   */
  model: string;
  /**
   * X,Y,W,H; null for the centred 512x512, or all of a smaller frame.
   */
  roi: string | null;
  /**
   * A preset's name or gain=…,offset=…,read_noise=…; null for `phone`.
   */
  camera: Camera | null;
  /**
   * A:B, to localize in these frames only.
   */
  frames: string | null;
}
/**
 * A camera's response, of the frames as they arrive (after its image processor, before the codec).
 */
export interface Camera {
  /**
   * Electrons per count.
   */
  gain: number;
  /**
   * Counts in the dark.
   */
  offset: number;
  /**
   * Electrons, root mean square.
   */
  read_noise: number;
  /**
   * False for a preset: photons are then rough.
   */
  calibrated: boolean;
}
/**
 * What may be chosen for an acquisition; the same on the command line, in HTTP and in reports.
 */
export interface NewAcquisition {
  name?: string;
  /**
   * Camera pixel in the sample plane.
   */
  pixel_size_nm?: number;
  /**
   * Generator, by its name in the zoo.
   */
  model?: string;
  /**
   * X,Y,W,H; null for the centred 512x512, or all of a smaller frame.
   */
  roi?: string | null;
  /**
   * A preset's name or gain=…,offset=…,read_noise=…; null for `phone`.
   */
  camera?: string | null;
  /**
   * A:B, to localize in these frames only.
   */
  frames?: string | null;
}
/**
 * Last message: nothing more will come.
 */
export interface Closing {
  kind: "closing";
  reason: "finished" | "failed" | "deleted" | "shutting_down";
}
/**
 * One column of the rows in binary messages.
 */
export interface ColumnDescription {
  name: string;
  /**
   * As numpy writes it, e.g. '<f4'.
   */
  dtype: string;
  unit: string;
  meaning: string;
}
/**
 * A new acquisition, and what is needed to publish to it and to watch it.
 */
export interface CreatedAcquisition {
  id: string;
  settings: AcquisitionSettings;
  state: State;
  created_at: string;
  /**
   * Null until the first frame.
   */
  frame_width: number | null;
  frame_height: number | null;
  /**
   * In effect; null until the first frame.
   */
  roi: string | null;
  /**
   * Of an upload, where its container tells.
   */
  frames_expected: number | null;
  /**
   * Damaged ones included.
   */
  frames_received: number;
  /**
   * Sent but never came.
   */
  frames_lost: number;
  /**
   * Came, but could not be decoded or refer to lost ones; not localized.
   */
  frames_damaged: number;
  frames_processed: number;
  localizations: number;
  chunks_received: number;
  chunks_processed: number;
  /**
   * In Redis.
   */
  waiting_chunk_bytes: number;
  /**
   * On the gateway's disk, waiting for room in Redis.
   */
  spooled_chunks: number;
  /**
   * Age of the newest frame that is in the image; null unless frames are coming or waiting.
   */
  lag_s: number | null;
  /**
   * Frames processed per second of late.
   */
  fps: number | null;
  /**
   * Until all expected frames are processed; null until known.
   */
  eta_s: number | null;
  /**
   * Null until known.
   */
  resolution_nm: number | null;
  error: string | null;
  /**
   * Opens this acquisition alone; shown this once.
   */
  token: string;
  /**
   * For a phone or any other WHIP client.
   */
  whip_url: string;
  /**
   * PUT a video or a TIFF stack here.
   */
  upload_url: string;
  /**
   * WebSocket of the growing image.
   */
  live_url: string;
  /**
   * Page that shows it; holds the token.
   */
  viewer_url: string;
}
/**
 * What one must know of a generator to run it and to read its output.
 */
export interface GeneratorSpec {
  name: string;
  version: string;
  /**
   * Of weights.onnx; null where there is no network.
   */
  sha256: string | null;
  output: "emitters" | "map" | "frames" | "counts";
  /**
   * Frames in a window; odd, the middle one is predicted.
   */
  context_frames: number;
  /**
   * Height and width must be multiples of it.
   */
  size_multiple: number;
  /**
   * Of the probability, or in a map of the frame's maximum, below which nothing is reported.
   */
  threshold: number;
  /**
   * Output pixels per camera pixel, in each direction.
   */
  upsampling: number;
  /**
   * One sigma of a position's error, camera pixels, as measured; of outputs that do not tell it.
   */
  precision_px: number | null;
  /**
   * Counts of a whole spot below which nothing is reported, from map or frames.
   */
  least_signal: number;
  /**
   * Counts of a spot whose pixels in the map sum to 1.
   */
  map_signal: number;
}
/**
 * A generator of the zoo.
 */
export interface Model {
  spec: GeneratorSpec;
  /**
   * What people should know of it, Markdown.
   */
  card: string;
  /**
   * Whether it is used where none is named.
   */
  is_default: boolean;
}
/**
 * First message: how to read the others.
 */
export interface Opening {
  kind: "opening";
  columns: ColumnDescription[];
  acquisition: Acquisition;
}
/**
 * How far the acquisition has come.
 */
export interface Progress {
  kind: "progress";
  acquisition: Acquisition;
}
