/**
 * Small pictures of many acquisitions, kept fresh at a bounded rate: one request at a time, the picture first that has
 * waited longest, none for what has not grown or is not seen. So a wall of thirty costs the server as much as one of three.
 */
import { sleep } from "./backoff";
import type { Acquisition } from "../generated/models";
import { PageError } from "./errors";

/** Where a picture goes. */
export interface Target {
  /** Side that it fills, in device pixels. */
  readonly sidePx: () => number;
  readonly isSeen: () => boolean;
  readonly put: (picture: Blob) => Promise<void>;
}

export interface PicturesParts {
  ask: (id: string, pixelNm: number, signal: AbortSignal) => Promise<Blob | null>;
  sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  nowMs: () => number;
}

export interface Pace {
  /** Between two requests of all. */
  readonly everyMs: number;
  /** Between two of the same picture. */
  readonly eachMs: number;
}

interface Entry {
  acquisition: Acquisition;
  target: Target;
  shown: string; // state of the acquisition that the picture shows
  askedAtMs: number;
}

const FINEST_NM = 20;

export class Pictures {
  readonly #entries = new Map<string, Entry>();

  constructor(
    private readonly parts: PicturesParts,
    private readonly pace: Pace,
  ) {}

  /** What is to be shown of it now; asked for when its turn comes. */
  want(acquisition: Acquisition, target: Target): void {
    const known = this.#entries.get(acquisition.id);
    if (known === undefined) {
      this.#entries.set(acquisition.id, { acquisition, target, shown: "", askedAtMs: -Infinity });
    } else {
      known.acquisition = acquisition;
    }
  }

  forget(id: string): void {
    this.#entries.delete(id);
  }

  /** Until the signal is aborted. */
  async keepFresh(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const entry = this.#next();
      if (entry !== null) await this.#refresh(entry, signal);
      await this.parts.sleep(this.pace.everyMs, signal).catch(() => undefined); // aborted: the loop ends
    }
  }

  #next(): Entry | null {
    const nowMs = this.parts.nowMs();
    let best: Entry | null = null;
    for (const entry of this.#entries.values()) {
      if (entry.shown === versionOf(entry.acquisition) || nowMs - entry.askedAtMs < this.pace.eachMs) continue;
      if (!entry.target.isSeen()) continue;
      if (best === null || entry.askedAtMs < best.askedAtMs) best = entry;
    }
    return best;
  }

  async #refresh(entry: Entry, signal: AbortSignal): Promise<void> {
    const { acquisition, target } = entry;
    const version = versionOf(acquisition);
    entry.askedAtMs = this.parts.nowMs();
    try {
      const picture = await this.parts.ask(acquisition.id, pixelNm(acquisition, target.sidePx()), signal);
      if (picture !== null) await target.put(picture);
      entry.shown = version;
    } catch (error) {
      // Aborted, the server away, or a picture cut short: the old one stays, and the next turn comes.
      if (!signal.aborted && !(error instanceof PageError) && !(error instanceof DOMException)) throw error;
    }
  }
}

/** Nothing to draw gives no request; the last picture is drawn when the acquisition is over. */
function versionOf({ localizations, state }: Acquisition): string {
  return localizations === 0 ? "" : `${localizations} ${state}`;
}

/**
 * Of one output pixel, such that the longer side of the field fills about `sidePx`. From the series 20 nm, 40, 80, …:
 * the server keeps one growing image per step, not one per window size.
 */
export function pixelNm({ roi, settings }: Pick<Acquisition, "roi" | "settings">, sidePx: number): number {
  const [, , widthPx = 0, heightPx = 0] = (roi ?? "").split(",").map(Number);
  const fieldNm = Math.max(widthPx, heightPx, 1) * settings.pixel_size_nm;
  return FINEST_NM * 2 ** Math.max(0, Math.floor(Math.log2(fieldNm / sidePx / FINEST_NM)));
}

/** The browser's own clock and patience. */
export function picturesOf(ask: PicturesParts["ask"], pace: Pace): Pictures {
  return new Pictures({ ask, sleep, nowMs: () => performance.now() }, pace);
}

/** A target that is an `<img>`; the picture before it is let go. */
export function imageTarget(image: HTMLImageElement, signal: AbortSignal): Target {
  let url: string | null = null;
  signal.addEventListener("abort", () => url !== null && URL.revokeObjectURL(url), { once: true });
  return {
    sidePx: () => Math.max(64, image.parentElement?.clientWidth ?? 0) * devicePixelRatio,
    isSeen: () => !document.hidden && isInView(image.parentElement ?? image),
    put: async (picture) => {
      const old = url;
      url = URL.createObjectURL(picture);
      image.src = url;
      await image.decode();
      image.hidden = false;
      if (old !== null) URL.revokeObjectURL(old);
    },
  };
}

function isInView(place: HTMLElement): boolean {
  const { top, bottom } = place.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}
