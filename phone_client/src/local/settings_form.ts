/** What is chosen before a reconstruction begins; remembered on this device. */
import { element, field } from "../app/dom";
import { PixelSizeInput, USUAL_PIXEL_SIZE_NM } from "../app/pixel_size";
import { texts } from "../app/texts";
import { CAMERAS } from "../generated/tables";
import type { Readout } from "./emitters";
import type { LocalGenerator } from "./weights";

export interface LocalSettings {
  readonly generator: LocalGenerator;
  readonly sidePx: number;
  readonly readout: Readout;
}

const SIDES_PX = [64, 128, 256, 512] as const;
const KEY = "cellstorm-local";
/** A third of the default's work for each frame: what a phone keeps up with. */
const LIGHT = "fast";

interface Remembered {
  generator: string;
  sidePx: number;
  pixelSizeNm: number;
}

/** `chosen`: null where something must be put right first, which the person is shown. */
export function settingsForm(generators: readonly LocalGenerator[]): {
  root: HTMLElement;
  chosen(): LocalSettings | null;
} {
  const before = remembered(generators);
  const generator = select(
    "local-generator",
    generators.map(({ spec }) => ({ value: spec.name, label: spec.name })),
    before.generator,
  );
  const side = select(
    "local-square",
    SIDES_PX.map((px) => ({ value: String(px), label: texts.onDevice.pixels(px) })),
    String(before.sidePx),
  );
  const pixelSize = new PixelSizeInput("local-pixel-size", before.pixelSizeNm);
  const chosen = (): LocalSettings | null => {
    const pixelSizeNm = pixelSize.asked();
    if (pixelSizeNm === null) return null;
    const wanted = generators.find(({ spec }) => spec.name === generator.value) ?? generators[0]!;
    const kept: Remembered = { generator: wanted.spec.name, sidePx: Number(side.value), pixelSizeNm };
    localStorage.setItem(KEY, JSON.stringify(kept));
    const readout = { threshold: wanted.spec.threshold, pixelSizeNm, ...CAMERAS.phone };
    return { generator: wanted, sidePx: kept.sidePx, readout };
  };
  const root = element(
    "div",
    { class: "local-settings" },
    field(texts.onDevice.generator, generator),
    field(texts.onDevice.square, side),
    field(texts.pixelSize, pixelSize.root),
  );
  return { root, chosen };
}

function remembered(generators: readonly LocalGenerator[]): Remembered {
  const usual =
    generators.find(({ spec }) => spec.name === LIGHT) ??
    generators.find(({ isDefault }) => isDefault) ??
    generators[0];
  const defaults = { generator: usual?.spec.name ?? "", sidePx: 128, pixelSizeNm: USUAL_PIXEL_SIZE_NM };
  const kept = localStorage.getItem(KEY);
  if (kept === null) return defaults;
  try {
    return { ...defaults, ...(JSON.parse(kept) as Partial<Remembered>) };
  } catch (error) {
    if (error instanceof SyntaxError) return defaults; // something else has written there
    throw error;
  }
}

function select(id: string, options: { value: string; label: string }[], chosen: string): HTMLSelectElement {
  const choices = options.map(({ value, label }) => element("option", { value, selected: value === chosen }, label));
  return element("select", { id }, ...choices);
}
