/** The cameras of this device: which there are, and one of them, opened. */
import { PageError } from "../app/errors";
import { texts } from "../app/texts";

export interface Camera {
  readonly track: MediaStreamTrack;
  readonly stream: MediaStream;
  readonly choice: CameraChoice;
  /** Resolves when something else takes the camera away. */
  readonly taken: Promise<void>;
  close(): void;
}

export interface CameraChoice {
  readonly deviceId: string;
  readonly label: string;
}

/** The finest picture that phones' video gives without binning; what the camera has not, the browser does without. */
const WANTED: readonly MediaTrackConstraints[] = [
  { width: { ideal: 1920 }, height: { ideal: 1080 } },
  { frameRate: { ideal: 30 } },
];

/** Those that the person may choose from; nameless until the camera was allowed once. */
export async function listCameras(): Promise<CameraChoice[]> {
  const found = await mediaDevices().enumerateDevices();
  return found
    .filter(({ kind, deviceId }) => kind === "videoinput" && deviceId !== "")
    .map(({ deviceId, label }, at) => ({ deviceId, label: label || `${texts.capture.cameraChoice} ${at + 1}` }));
}

/** Asks the person for the camera: the one of this id, or (null, or gone) the one on the back. */
export async function openCamera(deviceId: string | null): Promise<Camera> {
  const stream = await askForVideo(deviceId);
  const [track] = stream.getVideoTracks();
  if (track === undefined) throw new PageError("no_camera", texts.problems.noVideo);
  return {
    track,
    stream,
    choice: { deviceId: track.getSettings().deviceId ?? "", label: track.label },
    taken: new Promise((resolve) => track.addEventListener("ended", () => resolve(), { once: true })),
    close: () => {
      for (const each of stream.getTracks()) each.stop();
    },
  };
}

async function askForVideo(deviceId: string | null): Promise<MediaStream> {
  const devices = mediaDevices();
  // Size and rate are wishes; "none" is not: a picture that the browser has scaled is no camera's picture.
  const fixed: MediaTrackConstraints & { resizeMode: string } = Object.assign({ resizeMode: "none" }, ...WANTED);
  const back = { facingMode: { ideal: "environment" } };
  const which = deviceId === null ? back : { deviceId: { exact: deviceId } };
  try {
    return await devices.getUserMedia({ audio: false, video: { ...fixed, ...which } });
  } catch (cause) {
    const isGone = ["OverconstrainedError", "NotFoundError"].includes(nameOf(cause));
    if (deviceId !== null && isGone) return await askForVideo(null);
    throw cameraError(cause);
  }
}

function mediaDevices(): MediaDevices {
  // Its type says that it is always there; on plain http it is not.
  const devices = navigator.mediaDevices as MediaDevices | undefined;
  if (devices !== undefined) return devices;
  throw new PageError(
    "no_secure_context",
    window.isSecureContext ? texts.problems.noCameraHere : texts.problems.notSecure,
  );
}

function cameraError(cause: unknown): PageError {
  const name = nameOf(cause);
  switch (name) {
    case "NotAllowedError":
      return new PageError("camera_refused", texts.problems.cameraRefused, { cause });
    case "NotFoundError":
    case "OverconstrainedError":
      return new PageError("no_camera", texts.problems.noCamera, { cause });
    case "NotReadableError":
    case "AbortError":
      return new PageError("camera_taken", texts.problems.cameraTaken, { cause });
    default:
      return new PageError("no_camera", texts.problems.cameraFails(name || String(cause)), { cause });
  }
}

/** WebKit's OverconstrainedError is no DOMException. */
function nameOf(cause: unknown): string {
  return typeof cause === "object" && cause !== null && "name" in cause ? String(cause.name) : "";
}
