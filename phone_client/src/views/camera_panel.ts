/** The camera of this device: one button, what it sees, and what is sent. */
import type { Api } from "../api";
import { sleep } from "../backoff";
import { openCamera } from "../camera";
import { type Capture, Filming } from "../capture";
import { unreachable } from "../errors";
import type { Acquisition } from "../generated/models";
import { connectingAgain, sending, texts, waitingToRetry } from "../texts";
import { type SendStats, type Session, publish } from "../whip";
import { element, say } from "./dom";

const STATS_EVERY_MS = 1000;

export function cameraPanel(
  id: string,
  api: Api,
  signal: AbortSignal,
): { root: HTMLElement; show: (acquisition: Acquisition) => void } {
  const parts = cameraElements();
  const { root, press, sent } = parts;
  let isOpen = true; // the acquisition takes frames
  let isFilmed = false; // by another device, while this one does not

  const filming = new Filming(
    {
      openCamera,
      publish: (stream, stopping) => publish(stream, api.whipUrl(id), api.token, stopping),
      finish: () => api.finish(id),
      sleep,
    },
    (capture) => {
      showCapture(parts, capture);
      refresh(capture);
      if (capture.state === "filming") void showStats(capture.session, sent, () => filming.capture === capture);
      else say(sent, "");
    },
  );
  const refresh = (capture: Capture) => {
    const isTaken = isFilmed && capture.state === "idle";
    root.hidden = !isOpen && capture.state === "idle";
    press.classList.toggle("primary", !isTaken);
    say(press, isTaken ? texts.filmInstead : pressOf(capture));
  };
  press.addEventListener("click", () => {
    if (filming.capture.state === "idle" || filming.capture.state === "failed") void filming.start();
    else filming.stop();
  });
  signal.addEventListener("abort", () => filming.leave(), { once: true });
  return {
    root,
    show: (acquisition) => {
      isOpen = acquisition.state === "waiting" || acquisition.state === "receiving";
      isFilmed = acquisition.state === "receiving";
      refresh(filming.capture);
    },
  };
}

interface CameraElements {
  root: HTMLElement;
  preview: HTMLVideoElement;
  status: HTMLElement;
  sent: HTMLElement;
  press: HTMLButtonElement;
}

function cameraElements(): CameraElements {
  const video = { "aria-label": texts.previewLabel, playsinline: true, autoplay: true, hidden: true };
  const preview = element("video", video);
  preview.muted = true;
  const status = element("p", { class: "camera-status", role: "status" });
  const sent = element("p", { class: "camera-sent" });
  const press = element("button", { type: "button", class: "primary film" }, texts.film);
  const words = element("div", { class: "camera-words" }, status, sent);
  const root = element("section", { class: "camera", "aria-label": texts.camera }, preview, words, press);
  return { root, preview, status, sent, press };
}

function showCapture({ root, preview, status, press }: CameraElements, capture: Capture): void {
  root.dataset["capture"] = capture.state;
  say(status, statusOf(capture));
  status.classList.toggle("problem", capture.state === "failed");
  press.disabled = capture.state === "stopping";
  press.classList.toggle("stop", capture.state === "filming" || capture.state === "waiting");
  const stream = "camera" in capture ? capture.camera.stream : null;
  if (preview.srcObject !== stream) preview.srcObject = stream;
  preview.hidden = stream === null;
}

function pressOf(capture: Capture): string {
  switch (capture.state) {
    case "idle":
      return texts.film;
    case "failed":
      return texts.filmAgain;
    case "opening_camera":
    case "connecting":
      return texts.cancel;
    case "filming":
    case "waiting":
    case "stopping":
      return texts.stop;
    default:
      return unreachable(capture);
  }
}

function statusOf(capture: Capture): string {
  switch (capture.state) {
    case "idle":
      return "";
    case "opening_camera":
      return texts.openingCamera;
    case "connecting":
      return connectingAgain(capture.attempt);
    case "filming":
      return texts.filming;
    case "waiting":
      return waitingToRetry(capture.detail, capture.retryInMs);
    case "stopping":
      return texts.stopping;
    case "failed":
      return capture.detail;
    default:
      return unreachable(capture);
  }
}

/** Once a second, for as long as `isCurrent`. */
async function showStats(session: Session, target: HTMLElement, isCurrent: () => boolean): Promise<void> {
  let before: SendStats | null = null;
  while (isCurrent()) {
    const now = await session.stats();
    if (!isCurrent()) return;
    if (now !== null && before !== null && now.width !== null && now.height !== null && now.framesPerSecond !== null) {
      const megabitsPerSecond = ((now.bytesSent - before.bytesSent) * 8) / STATS_EVERY_MS / 1000;
      say(target, sending(now.width, now.height, now.framesPerSecond, megabitsPerSecond));
    }
    before = now;
    await new Promise((resolve) => setTimeout(resolve, STATS_EVERY_MS));
  }
}
