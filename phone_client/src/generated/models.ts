// Made by "npm run types" from models.schema.json (SHA-256 4b9f9d471274c874eb66de404bf63b70b7f2d24d45a493dc549421c700c0292b); not to be edited.

/**
 * Where an acquisition stands.
 */
export type State = "waiting" | "receiving" | "processing" | "finished" | "failed" | "cancelled";
/**
 * Which recordings are worked on first; what comes live always goes before all of them.
 */
export type Priority = "high" | "normal" | "low";
/**
 * Which recordings are worked on first; what comes live always goes before all of them.
 */
export type Priority1 = "high" | "normal" | "low";
/**
 * Which recordings are worked on first; what comes live always goes before all of them.
 */
export type Priority2 = "high" | "normal" | "low";

export interface Models {
  Acquisition?: Acquisition;
  NewAcquisition?: NewAcquisition;
  AcquisitionSettings?: AcquisitionSettings;
  Batch?: Batch;
  BatchDetail?: BatchDetail;
  BatchMember?: BatchMember;
  BrowserSession?: BrowserSession;
  Camera?: Camera;
  CameraFrames?: CameraFrames;
  CameraReport?: CameraReport;
  Changes?: Changes;
  Closing?: Closing;
  CodeRequest?: CodeRequest;
  ColumnDescription?: ColumnDescription;
  CommonComparison?: CommonComparison;
  Comparison?: Comparison;
  CreatedAcquisition?: CreatedAcquisition;
  ExposureDrift?: ExposureDrift;
  Gap?: Gap;
  GeneratorSpec?: GeneratorSpec;
  Grant?: Grant;
  JoinCode?: JoinCode;
  Judge?: Judge;
  LinkGap?: LinkGap;
  LockReport?: LockReport;
  Model?: Model;
  Opening?: Opening;
  Priority?: Priority1;
  Progress?: Progress;
  ResultFile?: ResultFile;
  Side?: Side;
  State?: State;
}
/**
 * An acquisition at one moment, as HTTP, events and viewers tell it.
 */
export interface Acquisition {
  id: string;
  settings: AcquisitionSettings;
  state: State;
  /**
   * Nothing of it is localized until it is resumed.
   */
  paused: boolean;
  priority: Priority;
  /**
   * The batch that it belongs to.
   */
  batch_id: string | null;
  /**
   * The acquisition whose kept video it is made of.
   */
  reprocessed_from: string | null;
  /**
   * Null until something has come.
   */
  video_from: ("phone" | "file") | null;
  /**
   * Of the kept video; null until it is finished, and of older ones.
   */
  video_sha256: string | null;
  /**
   * As it was when the acquisition was opened, but without its judge, which its report has; null of very old ones.
   */
  generator: GeneratorSpec | null;
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
   * Where a phone's link was lost; the newest hundred.
   */
  gaps: Gap[];
  /**
   * Came, but could not be decoded or refer to lost ones; not localized.
   */
  frames_damaged: number;
  frames_processed: number;
  /**
   * Came, but the setting `frames` leaves them out.
   */
  frames_left_out: number;
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
   * Until all expected frames are processed; null until known and while paused.
   */
  eta_s: number | null;
  /**
   * Null until known.
   */
  resolution_nm: number | null;
  /**
   * Diagonal of the rectangle that the sample has moved in; null until known.
   */
  drift_nm: number | null;
  error: string | null;
  /**
   * What to know of the recording, as that its file was cut off.
   */
  notice: string | null;
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
  /**
   * Frames per second of a recording that holds no times, as a TIFF stack.
   */
  frame_rate: number | null;
  /**
   * Of the probability; null for the generator's own, which for `default` is chosen by what the video shows.
   */
  threshold: number | null;
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
   * Of the probability, or in a map of the frame's maximum, below which nothing is reported; null, of emitters alone: those are reported with which the expected efficiency is highest.
   */
  threshold: number | null;
  /**
   * Of emitters: revises candidates by what a chunk shows; null, they stay as they are.
   */
  judge: Judge | null;
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
 * Weights; `centre` and `spread` are the means and standard deviations of FEATURES where it was fitted.
 */
export interface Judge {
  /**
   * @minItems 1
   */
  centre: [number, ...number[]];
  /**
   * @minItems 1
   */
  spread: [number, ...number[]];
  /**
   * One row for each hidden unit; its bias comes last.
   *
   * @minItems 1
   */
  hidden: [[number, ...number[]], ...[number, ...number[]][]];
  /**
   * What is added to the probability's logit, and to the precision's logarithm; biases last.
   *
   * @minItems 2
   * @maxItems 2
   */
  output: [[number, ...number[]], [number, ...number[]]];
  /**
   * What is added to the precision's logarithm for each unit of the overlap's.
   */
  overlap: number;
}
/**
 * A lost link, as it is kept.
 */
export interface Gap {
  session_id: string;
  /**
   * Index of the first frame that never came.
   */
  first_frame: number;
  frames_lost: number;
  /**
   * Of those, the ones that the phone did not even send.
   */
  frames_missed: number;
  away_s: number;
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
  /**
   * Frames per second of a recording that holds no times, as a TIFF stack.
   */
  frame_rate?: number | null;
  /**
   * Of the probability; null for the generator's own, which for `default` is chosen by what the video shows.
   */
  threshold?: number | null;
}
/**
 * A batch at one moment; its figures are sums over its acquisitions.
 */
export interface Batch {
  id: string;
  name: string;
  settings: AcquisitionSettings;
  priority: Priority1;
  created_at: string;
  /**
   * How many of its acquisitions are in each state; none is left out.
   */
  states: {
    [k: string]: number;
  };
  /**
   * How many are paused.
   */
  paused: number;
  /**
   * Each of its acquisitions has finished, failed or was cancelled.
   */
  is_over: boolean;
  /**
   * Null while not all of its files have come.
   */
  frames_expected: number | null;
  frames_received: number;
  frames_lost: number;
  frames_damaged: number;
  frames_processed: number;
  localizations: number;
  /**
   * Frames processed per second of late.
   */
  fps: number | null;
  /**
   * Until all that is expected is processed, files that have not come yet guessed from the others; null until known and while all is paused.
   */
  eta_s: number | null;
}
/**
 * A batch with its acquisitions, in the order in which they joined.
 */
export interface BatchDetail {
  id: string;
  name: string;
  settings: AcquisitionSettings;
  priority: Priority1;
  created_at: string;
  /**
   * How many of its acquisitions are in each state; none is left out.
   */
  states: {
    [k: string]: number;
  };
  /**
   * How many are paused.
   */
  paused: number;
  /**
   * Each of its acquisitions has finished, failed or was cancelled.
   */
  is_over: boolean;
  /**
   * Null while not all of its files have come.
   */
  frames_expected: number | null;
  frames_received: number;
  frames_lost: number;
  frames_damaged: number;
  frames_processed: number;
  localizations: number;
  /**
   * Frames processed per second of late.
   */
  fps: number | null;
  /**
   * Until all that is expected is processed, files that have not come yet guessed from the others; null until known and while all is paused.
   */
  eta_s: number | null;
  acquisitions: BatchMember[];
}
/**
 * One acquisition of a batch, in short.
 */
export interface BatchMember {
  id: string;
  name: string;
  state: State;
  paused: boolean;
  frames_expected: number | null;
  frames_processed: number;
  localizations: number;
  eta_s: number | null;
  error: string | null;
  /**
   * What to know of the recording, as that its file was cut off.
   */
  notice: string | null;
}
/**
 * What this browser may do.
 */
export interface BrowserSession {
  grants: Grant[];
  /**
   * When the last of them ends.
   */
  expires_at: string;
}
/**
 * One right that somebody has.
 */
export interface Grant {
  right: "manage" | "film" | "watch";
  /**
   * Null for the whole server.
   */
  acquisition_id: string | null;
}
/**
 * What became of the camera's frames since the button was pressed.
 */
export interface CameraFrames {
  /**
   * Delivered by the camera.
   */
  seen: number;
  /**
   * Owed by the camera's own pace, and not delivered.
   */
  skipped: number;
  /**
   * Delivered twice; left out.
   */
  repeated: number;
  /**
   * To keep the chosen frame rate.
   */
  left_out: number;
  sent: number;
  /**
   * While the link was lost.
   */
  missed: number;
}
/**
 * A phone and its camera, as the page that films has found and set them.
 */
export interface CameraReport {
  /**
   * As the browser names itself.
   */
  device: string;
  /**
   * The browser's label for it.
   */
  camera: string;
  /**
   * Of the camera's picture, before cropping.
   */
  width: number;
  height: number;
  /**
   * Of the active square, in the camera's picture.
   */
  crop_x: number;
  crop_y: number;
  crop_side: number;
  /**
   * Copied from the camera, or computed from colours.
   */
  luma: "exact" | "converted";
  /**
   * Of the camera, as measured.
   */
  frame_rate: number | null;
  preset: string | null;
  locks: {
    [k: string]: LockReport;
  };
  frames: CameraFrames;
  link_losses: number;
}
/**
 * One setting that should not change while filming; values as browsers count them (exposure in 100 µs).
 */
export interface LockReport {
  state: "locked" | "drifting" | "not_available";
  /**
   * As read back from the camera; null where it does not tell.
   */
  value: number | null;
  /**
   * Null where nothing could be asked for.
   */
  wanted: number | null;
}
/**
 * What is to be otherwise; what is left out stays as it was, and null means what it means for a new acquisition.
 */
export interface Changes {
  /**
   * Left out, it is the old one's with `, again` after it.
   */
  name?: string | null;
  model?: string | null;
  /**
   * As of a new acquisition.
   */
  roi?: string | null;
  /**
   * As of a new acquisition.
   */
  frames?: string | null;
  /**
   * As of a new acquisition.
   */
  camera?: string | null;
  /**
   * Of the generator's probability.
   */
  threshold?: number | null;
  pixel_size_nm?: number | null;
}
/**
 * Last message: nothing more will come.
 */
export interface Closing {
  kind: "closing";
  reason: "finished" | "failed" | "cancelled" | "deleted" | "shutting_down";
}
/**
 * What a new code is to let in to.
 */
export interface CodeRequest {
  right: "manage" | "film" | "watch";
  /**
   * Null for the whole server.
   */
  acquisition_id: string | null;
  /**
   * How many browsers it lets in.
   */
  uses: number;
  /**
   * How long.
   */
  valid_s: number;
}
/**
 * One column of binary messages.
 */
export interface ColumnDescription {
  name: string;
  /**
   * As numpy writes it, e.g. '<f4'; 'bfloat16' is the upper half of a float32.
   */
  dtype: string;
  unit: string;
  meaning: string;
}
/**
 * Likewise of two acquisitions: of what both were asked to localize in, alone.
 */
export interface CommonComparison {
  first: Side;
  second: Side;
  tolerance_nm: number;
  /**
   * Pairs of localizations in the same frame, less than the tolerance apart.
   */
  matched: number;
  /**
   * Pairs by all that either has found.
   */
  jaccard: number | null;
  /**
   * Median of second less first.
   */
  offset_x_nm: number | null;
  offset_y_nm: number | null;
  distance_nm_rms: number | null;
  /**
   * Second over first.
   */
  photon_ratio_median: number | null;
  /**
   * Whether all rows are the same, as far as files keep them.
   */
  identical: boolean;
  /**
   * Whether both were made of one video; null where nothing tells.
   */
  same_recording: boolean | null;
  /**
   * X,Y,W,H in the camera's frame, where both were compared; null for the same region of both, all of it.
   */
  roi: string | null;
  /**
   * A:B, which of them were compared; null for the same frames of both, all of them.
   */
  frames: string | null;
}
/**
 * One of the two; medians are null where there are no localizations.
 */
export interface Side {
  localizations: number;
  /**
   * That have a localization.
   */
  frames: number;
  photons_median: number | null;
  precision_nm_median: number | null;
  /**
   * Fourier ring correlation; null where it cannot be told.
   */
  resolution_nm: number | null;
  /**
   * Of its localizations, those that the other one has too.
   */
  matched_share: number | null;
}
/**
 * What two tables have in common; distances are null where they share nothing.
 */
export interface Comparison {
  first: Side;
  second: Side;
  tolerance_nm: number;
  /**
   * Pairs of localizations in the same frame, less than the tolerance apart.
   */
  matched: number;
  /**
   * Pairs by all that either has found.
   */
  jaccard: number | null;
  /**
   * Median of second less first.
   */
  offset_x_nm: number | null;
  offset_y_nm: number | null;
  distance_nm_rms: number | null;
  /**
   * Second over first.
   */
  photon_ratio_median: number | null;
  /**
   * Whether all rows are the same, as far as files keep them.
   */
  identical: boolean;
}
/**
 * A new acquisition, and what is needed to publish to it and to watch it.
 */
export interface CreatedAcquisition {
  id: string;
  settings: AcquisitionSettings;
  state: State;
  /**
   * Nothing of it is localized until it is resumed.
   */
  paused: boolean;
  priority: Priority2;
  /**
   * The batch that it belongs to.
   */
  batch_id: string | null;
  /**
   * The acquisition whose kept video it is made of.
   */
  reprocessed_from: string | null;
  /**
   * Null until something has come.
   */
  video_from: ("phone" | "file") | null;
  /**
   * Of the kept video; null until it is finished, and of older ones.
   */
  video_sha256: string | null;
  /**
   * As it was when the acquisition was opened, but without its judge, which its report has; null of very old ones.
   */
  generator: GeneratorSpec | null;
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
   * Where a phone's link was lost; the newest hundred.
   */
  gaps: Gap[];
  /**
   * Came, but could not be decoded or refer to lost ones; not localized.
   */
  frames_damaged: number;
  frames_processed: number;
  /**
   * Came, but the setting `frames` leaves them out.
   */
  frames_left_out: number;
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
   * Until all expected frames are processed; null until known and while paused.
   */
  eta_s: number | null;
  /**
   * Null until known.
   */
  resolution_nm: number | null;
  /**
   * Diagonal of the rectangle that the sample has moved in; null until known.
   */
  drift_nm: number | null;
  error: string | null;
  /**
   * What to know of the recording, as that its file was cut off.
   */
  notice: string | null;
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
   * Page that shows it, to whoever may see it.
   */
  viewer_url: string;
}
/**
 * Background at the beginning and now; null until there are enough localizations.
 */
export interface ExposureDrift {
  first_background_photons: number | null;
  newest_background_photons: number | null;
  /**
   * Newest to first.
   */
  ratio: number | null;
  /**
   * Beyond what bleaching explains.
   */
  has_drifted: boolean;
}
/**
 * A code, and how others come by it.
 */
export interface JoinCode {
  code: string;
  /**
   * Opened on another device, it joins.
   */
  join_url: string;
  /**
   * The same to be scanned: one SVG element.
   */
  qr_svg: string;
  /**
   * At 0 it is time for another one.
   */
  uses_left: number;
  expires_at: string;
}
/**
 * What a phone knows of a lost link when it publishes again (`PUT` on the new session's `/gap`).
 */
export interface LinkGap {
  /**
   * The session that was lost: the last part of its Location.
   */
  session_id: string;
  /**
   * In that session, whether they arrived or not.
   */
  frames_sent: number;
  /**
   * Made since then, and not sent.
   */
  frames_missed: number;
  /**
   * From the loss to now.
   */
  away_s: number;
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
  /**
   * Whether it is the one to film with: it keeps up with a camera.
   */
  is_for_live: boolean;
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
/**
 * A file that can be fetched.
 */
export interface ResultFile {
  name: string;
  /**
   * Null for one that is made when it is fetched.
   */
  bytes: number | null;
  media_type: string;
  url: string;
}
