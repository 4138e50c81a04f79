/** What this device remembers of each of its cameras, and of the last acquisition, so that nobody sets it up twice. */
import type { PresetName, Wanted } from "./locks";
import type { Square } from "./square";

export interface CameraMemory {
  readonly square: Square | null;
  readonly preset: PresetName | null;
  /** Values that the person has chosen by hand, in the browser's units. */
  readonly chosen: Wanted;
}

export interface AcquisitionMemory {
  readonly name: string;
  readonly pixelSizeNm: number;
  /** Null for the server's own choice. */
  readonly model: string | null;
}

type Keep = Pick<Storage, "getItem" | "setItem">;

const KEY = "cellstorm.capture.1";
const NOTHING: CameraMemory = { square: null, preset: "dstorm", chosen: {} };

interface Kept {
  deviceId?: string;
  acquisition?: AcquisitionMemory;
  cameras?: Record<string, CameraMemory>;
}

export class CaptureMemory {
  constructor(private readonly keep: Keep) {}

  get deviceId(): string | null {
    return this.#kept().deviceId ?? null;
  }

  set deviceId(deviceId: string) {
    this.#put({ deviceId });
  }

  get acquisition(): AcquisitionMemory | null {
    return this.#kept().acquisition ?? null;
  }

  set acquisition(acquisition: AcquisitionMemory) {
    this.#put({ acquisition });
  }

  camera(label: string): CameraMemory {
    return { ...NOTHING, ...this.#kept().cameras?.[label] };
  }

  setCamera(label: string, changes: Partial<CameraMemory>): void {
    const cameras = this.#kept().cameras ?? {};
    this.#put({ cameras: { ...cameras, [label]: { ...this.camera(label), ...changes } } });
  }

  #kept(): Kept {
    const text = this.keep.getItem(KEY);
    if (text === null) return {};
    try {
      const kept: unknown = JSON.parse(text);
      return typeof kept === "object" && kept !== null ? kept : {};
    } catch (error) {
      if (error instanceof SyntaxError) return {}; // something else has written there: it is set up anew
      throw error;
    }
  }

  #put(changes: Partial<Kept>): void {
    try {
      this.keep.setItem(KEY, JSON.stringify({ ...this.#kept(), ...changes }));
    } catch (error) {
      // No room, or private browsing: it is asked for again the next time.
      if (!(error instanceof DOMException)) throw error;
    }
  }
}
