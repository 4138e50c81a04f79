/** What the page and its cropping worker say to each other. */
import type { Luma } from "./measure";
import type { Fidelity } from "./monochrome";
import type { FrameCounts } from "./pacing";
import type { Square } from "./square";

export type ToCropper =
  | { kind: "source"; readable: ReadableStream<VideoFrame> }
  | { kind: "sink"; writable: WritableStream<VideoFrame> }
  /** Safari: the worker makes streams of tracks itself, and gives the cropped track back. */
  | { kind: "source_track"; track: MediaStreamTrack }
  | { kind: "sink_track" }
  | { kind: "square"; square: Square }
  /** The middle of the inset, in pixels of the square. */
  | { kind: "look"; x: number; y: number }
  | { kind: "pace"; fps: number | null }
  /** Send one frame's luma, to be measured. */
  | { kind: "sample" };

export type FromCropper =
  | { kind: "counts"; counts: FrameCounts; cameraFps: number | null; fidelity: Fidelity }
  | { kind: "inset"; inset: Luma }
  | { kind: "luma"; luma: Luma }
  | { kind: "sink_track"; track: MediaStreamTrack | null }
  | { kind: "failed"; detail: string };
