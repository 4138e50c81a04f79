/** A recording that stands in for the camera: played into a canvas, whose stream is what a phone would send. */
import { PageError } from "../app/errors";
import { texts } from "../app/texts";

export interface Player {
  readonly stream: MediaStream;
  /** Shows what is being sent. */
  readonly preview: HTMLElement;
  readonly framesSoFar: () => number;
  readonly positionS: () => number;
  readonly lengthS: number;
  play(): Promise<void>;
  /** Resolves at the recording's end. */
  readonly ended: Promise<void>;
  close(): void;
}

/** Resolves when the first picture is there. */
export async function openPlayer(url: string, signal: AbortSignal): Promise<Player> {
  const video = document.createElement("video");
  video.muted = true;
  video.playsInline = true;
  video.preload = "auto";
  await loaded(video, url, signal);
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) throw new Error("this browser draws no canvas");
  let frames = 0;
  const draw = () => {
    context.drawImage(video, 0, 0);
    frames += 1;
  };
  draw();
  followFrames(video, draw, signal);
  const stream = canvas.captureStream();
  return {
    stream,
    preview: canvas,
    framesSoFar: () => frames,
    positionS: () => video.currentTime,
    lengthS: video.duration,
    play: () => video.play(),
    ended: new Promise((resolve) => video.addEventListener("ended", () => resolve(), { once: true })),
    close: () => {
      video.pause();
      for (const track of stream.getTracks()) track.stop();
    },
  };
}

function loaded(video: HTMLVideoElement, url: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const once = { once: true, signal };
    video.addEventListener("loadeddata", () => resolve(), once);
    video.addEventListener("error", () => reject(new PageError("no_codec", texts.samplePage.cannotPlay)), once);
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    video.src = url;
  });
}

/** Each of the recording's frames once; where the browser cannot tell them apart, at the screen's pace. */
function followFrames(video: HTMLVideoElement, draw: () => void, signal: AbortSignal): void {
  if ("requestVideoFrameCallback" in video) {
    const next = () => {
      if (signal.aborted) return;
      draw();
      video.requestVideoFrameCallback(next);
    };
    video.requestVideoFrameCallback(next);
    return;
  }
  const element: HTMLVideoElement = video;
  let shownS = element.currentTime;
  const look = () => {
    if (signal.aborted) return;
    if (element.currentTime !== shownS) draw();
    shownS = element.currentTime;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}
