/** What the page and the worker that reconstructs say to each other; told apart by `kind`. */
import type { FailureReason } from "../app/errors";
import type { GeneratorSpec } from "../generated/models";
import type { Readout } from "./emitters";
import type { Backend } from "./generator";
import type { Found } from "./localizer";
import type { Region } from "./luma";

export type ToWorker =
  | { kind: "start"; spec: GeneratorSpec; weights: Uint8Array<ArrayBuffer>; readout: Readout; source: FrameSource }
  | { kind: "picture"; picture: VideoFrame } // of a source that sends pictures one by one
  | { kind: "stop" };

/** Where frames come from; of each the centred square of `sidePx` is taken. */
export type FrameSource = { readonly sidePx: number } & (
  | { readonly from: "stream"; readonly frames: ReadableStream<VideoFrame> } // a camera, where the browser gives its frames
  | { readonly from: "pictures" } // a camera elsewhere: the page takes pictures of what it shows
  | { readonly from: "file"; readonly file: Blob }
);

export type FromWorker =
  | { kind: "ready"; backend: Backend } // the generator runs
  | { kind: "size"; region: Region } // known with the first frame
  | { kind: "localized"; found: Found }
  | { kind: "next" } // the worker takes a further picture
  | { kind: "ended" }
  | { kind: "failed"; reason: FailureReason; detail: string };
