/** What the page can reconstruct from: a recorded file, or the camera, in whichever way the browser gives its frames. */
import { element } from "../app/dom";
import { texts } from "../app/texts";
import { openCamera } from "../capture/camera";
import type { FrameSource } from "./protocol";

export interface LocalSource {
  readonly name: string;
  /** What the person should see of it meanwhile; null where there is nothing. */
  readonly preview: HTMLVideoElement | null;
  frames(sidePx: number): FrameSource;
  /** Sends the camera's next picture, where they are asked for one by one. */
  next(send: (picture: VideoFrame) => void): void;
  close(): void;
}

export function fileSource(file: File): LocalSource {
  return {
    name: file.name.replace(/\.[^.]*$/, ""),
    preview: null,
    frames: (sidePx) => ({ from: "file", file, sidePx }),
    next: () => undefined,
    close: () => undefined,
  };
}

export async function cameraSource(): Promise<LocalSource> {
  const camera = await openCamera(null);
  const [track] = camera.stream.getVideoTracks();
  const preview = element("video", {
    muted: true,
    playsinline: true,
    autoplay: true,
    "aria-label": texts.onDevice.preview,
  });
  preview.muted = true; // the attribute alone does not let it play by itself
  preview.srcObject = camera.stream;
  return {
    name: texts.onDevice.camera,
    preview,
    frames: (sidePx) => {
      if (typeof MediaStreamTrackProcessor === "undefined") return { from: "pictures", sidePx };
      return { from: "stream", frames: new MediaStreamTrackProcessor({ track: track! }).readable, sidePx };
    },
    next: (send) => {
      preview.requestVideoFrameCallback((_, { mediaTime }) => {
        send(new VideoFrame(preview, { timestamp: Math.round(mediaTime * 1e6) }));
      });
    },
    close: () => camera.close(),
  };
}
