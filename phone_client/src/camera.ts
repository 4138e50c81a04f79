/** The camera on the back of the phone, and the screen that stays awake meanwhile. */
import { PageError } from "./errors";

export interface Camera {
  readonly stream: MediaStream;
  /** What it was set to, as the browser tells it. */
  readonly settings: MediaTrackSettings;
  /** Resolves when something else takes the camera away. */
  readonly taken: Promise<void>;
  close(): void;
}

const WANTED: MediaTrackConstraints = {
  facingMode: "environment",
  width: { ideal: 512 },
  height: { ideal: 512 },
  frameRate: { ideal: 30 },
};

/** Asks the person for the camera. */
export async function openCamera(): Promise<Camera> {
  const stream = await askForVideo();
  const [track] = stream.getVideoTracks();
  if (track === undefined) throw new PageError("no_camera", "The camera gives no video.");
  const awake = await keepScreenOn();
  return {
    stream,
    settings: track.getSettings(),
    taken: new Promise((resolve) => track.addEventListener("ended", () => resolve(), { once: true })),
    close: () => {
      for (const each of stream.getTracks()) each.stop();
      void awake?.release();
    },
  };
}

async function askForVideo(): Promise<MediaStream> {
  // Its type says that it is always there; on plain http it is not.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices === undefined) {
    throw new PageError(
      "no_secure_context",
      window.isSecureContext
        ? "This browser gives no page a camera. Open the page in Chrome, Firefox or Safari."
        : "Browsers give a camera only to pages opened by https:// or on localhost. Open the https:// address that the server prints.",
    );
  }
  try {
    return await devices.getUserMedia({ audio: false, video: WANTED });
  } catch (cause) {
    throw cameraError(cause);
  }
}

function cameraError(cause: unknown): PageError {
  const name = cause instanceof DOMException ? cause.name : "";
  switch (name) {
    case "NotAllowedError":
      return new PageError(
        "camera_refused",
        "Allow this page to use the camera in the browser's settings, then press Film again.",
        { cause },
      );
    case "NotFoundError":
    case "OverconstrainedError":
      return new PageError("no_camera", "This device has no camera that the browser can use.", { cause });
    case "NotReadableError":
    case "AbortError":
      return new PageError("camera_taken", "Another app uses the camera. Close it, then press Film again.", { cause });
    default:
      return new PageError("no_camera", `The camera cannot be opened (${name || String(cause)}).`, { cause });
  }
}

/** A phone films for minutes without being touched. Browsers may refuse, as at low battery; filming goes on then. */
async function keepScreenOn(): Promise<WakeLockSentinel | null> {
  const wakeLock = navigator.wakeLock as WakeLock | undefined;
  try {
    return (await wakeLock?.request("screen")) ?? null;
  } catch (error) {
    if (error instanceof DOMException) return null;
    throw error;
  }
}
