/** The number by which pixels become lengths: asked for in several places, and believed only where it is one. */
import { element } from "./dom";
import { texts } from "./texts";

export const USUAL_PIXEL_SIZE_NM = 100;
/** As the server has it. */
const [LEAST_NM, MOST_NM] = [1, 10_000];
/** Half of Europe writes a comma; a browser's own number field drops it, and makes 1085 of 108,5. */
const NUMBER = /^\d+(?:[.,]\d+)?$/;

/** What somebody has typed, in nm; null where it is no pixel size. */
export function pixelSizeOf(typed: string): number | null {
  const text = typed.trim();
  const size = NUMBER.test(text) ? Number(text.replace(",", ".")) : NaN;
  return size >= LEAST_NM && size <= MOST_NM ? size : null;
}

export class PixelSizeInput {
  readonly root: HTMLInputElement;

  /** `kept`: what was chosen the last time, as storage has it. */
  constructor(id: string, kept: unknown = USUAL_PIXEL_SIZE_NM) {
    const value = String(pixelSizeOf(String(kept)) ?? USUAL_PIXEL_SIZE_NM);
    const attributes = { id, inputmode: "decimal", autocomplete: "off", maxlength: "12", required: true, value };
    this.root = element("input", attributes);
    this.root.addEventListener("input", () =>
      this.root.setCustomValidity(this.nm === null ? texts.pixelSizeWrong : ""),
    );
  }

  /** Null where it is none. */
  get nm(): number | null {
    return pixelSizeOf(this.root.value);
  }

  /** Likewise; the person is then shown what is wrong, and nothing should begin. */
  asked(): number | null {
    if (this.nm === null) {
      this.root.closest("details")?.setAttribute("open", "");
      this.root.reportValidity();
    }
    return this.nm;
  }
}
