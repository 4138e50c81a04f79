/** The worker between camera and encoder: frames flow through it whatever the page is busy with. */
import type { FromCropper, ToCropper } from "./crop_messages";
import { Cropper } from "./cropper";

/** Frames that may wait here; older ones are replaced, and missed by their timestamps. */
const WAITING_FRAMES = 8;

const scope = self as unknown as {
  postMessage: (message: FromCropper, transfer?: Transferable[]) => void;
  onmessage: ((event: MessageEvent<ToCropper>) => void) | null;
};
const tell = (message: FromCropper, transfer: Transferable[] = []) => scope.postMessage(message, transfer);
const cropper = new Cropper(tell, () => performance.now());
let sink: WritableStreamDefaultWriter<VideoFrame> | null = null;
let source: ReadableStreamDefaultReader<VideoFrame> | null = null;

scope.onmessage = ({ data }) => {
  switch (data.kind) {
    case "source":
      void flow(data.readable);
      break;
    case "source_track":
      void flow(new MediaStreamTrackProcessor({ track: data.track, maxBufferSize: WAITING_FRAMES }).readable);
      break;
    case "sink":
      sink = data.writable.getWriter();
      break;
    case "sink_track":
      makeSinkTrack();
      break;
    case "square":
      cropper.square = data.square;
      break;
    case "look":
      cropper.look = data;
      break;
    case "pace":
      cropper.pace(data.fps);
      break;
    case "sample":
      cropper.sample();
      break;
  }
};

/** Null tells a browser whose workers know no tracks. */
function makeSinkTrack(): void {
  if (typeof VideoTrackGenerator === "undefined" || typeof MediaStreamTrackProcessor === "undefined") {
    tell({ kind: "sink_track", track: null });
    return;
  }
  const generator = new VideoTrackGenerator();
  sink = generator.writable.getWriter();
  tell({ kind: "sink_track", track: generator.track }, [generator.track as unknown as Transferable]);
}

/** Until the camera ends, or another one takes its place. */
async function flow(readable: ReadableStream<VideoFrame>): Promise<void> {
  void source?.cancel();
  const reader = readable.getReader();
  source = reader;
  try {
    while (source === reader) {
      const { value: frame, done } = await reader.read();
      if (done) return;
      const cropped = await cropper.handle(frame);
      if (cropped !== null) await sink?.write(cropped);
    }
  } catch (error) {
    tell({ kind: "failed", detail: String(error) });
  }
}
