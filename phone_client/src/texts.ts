/** Every word that the page says by itself, in one place; the server's messages are shown as they come. */
import type { State } from "./generated/models";

export const NOT_YET = "not yet";

export const STATES: Record<State, string> = {
  waiting: "Waiting for video",
  receiving: "Filming",
  processing: "Finishing",
  finished: "Finished",
  failed: "Failed",
};

export const texts = {
  appName: "cellSTORM",
  tagline: "A phone on the eyepiece, molecules on the screen.",
  noToken: "This link carries no key.",
  noTokenAdvice: "Open the address that the server printed when it started, or scan its code again.",
  newAcquisition: "New acquisition",
  name: "Name",
  nameDefault: "Acquisition",
  pixelSize: "Pixel size (nm)",
  model: "Generator",
  modelDefault: "default",
  create: "Create",
  creating: "Creating…",
  acquisitions: "Acquisitions",
  noAcquisitions: "None yet. Create one here; its image appears on every screen that opens it.",
  back: "All acquisitions",
  reconstruction: "Reconstruction",
  reconstructionAlt: "Super-resolution image, growing",
  imageWaits: "The image appears with the first localizations.",
  widefield: "Widefield",
  widefieldAlt: "Sum of all frames",
  widefieldWaits: "The sum of all frames appears here.",
  figures: "Figures",
  camera: "Camera",
  previewLabel: "What the camera sees",
  film: "Film",
  filmInstead: "Film here instead",
  filmAgain: "Film on",
  stop: "Stop",
  cancel: "Cancel",
  openingCamera: "Allow the camera…",
  connecting: "Connecting…",
  filming: "Keep still.",
  stopping: "Sending the last frames…",
  share: "Open on another device",
  shareAdvice: "Whoever has this link can watch and film this acquisition.",
  copy: "Copy link",
  copied: "Copied",
  download: "Download results",
  downloading: "Downloading…",
  liveLost: "The live view lost the server; trying again.",
  deleted: "This acquisition was deleted.",
} as const;

export function connectingAgain(attempt: number): string {
  return attempt === 1 ? texts.connecting : `Connecting, attempt ${attempt}…`;
}

export function waitingToRetry(detail: string, retryInMs: number): string {
  return `${detail} Trying again in ${(retryInMs / 1000).toFixed(1)} s.`;
}

export function sending(width: number, height: number, fps: number, megabitsPerSecond: number): string {
  return `${width}\u00a0×\u00a0${height}, ${fps.toFixed(0)}\u00a0fps, ${megabitsPerSecond.toFixed(1)}\u00a0Mbit/s`;
}
