/** Before filming: which camera, how large a square, and what the acquisition is to be called. */
import { element, field, say } from "../app/dom";
import { messageOf } from "../app/errors";
import { PixelSizeInput } from "../app/pixel_size";
import { texts } from "../app/texts";
import type { Model, NewAcquisition } from "../generated/models";
import { type CameraChoice, listCameras } from "./camera";
import type { Desk, DeskState } from "./desk";
import type { CaptureMemory } from "./memory";
import { resized, sidesFor } from "./square";

const words = texts.capture;

export interface CameraView {
  readonly root: HTMLDetailsElement;
  show(state: DeskState): void;
}

export function cameraView(desk: () => Desk): CameraView {
  const summary = element("span", { class: "fold-state" });
  const sides = element("div", { class: "segments", role: "group", "aria-label": words.squareSize });
  const choice = element("select", { id: "camera-choice" });
  choice.addEventListener("change", () => void desk().open(choice.value));
  const head = element("summary", {}, element("span", {}, words.squareSize), summary);
  const root = element("details", { class: "fold" }, head, sides, field(words.cameraChoice, choice));
  let shownSides = "";
  return {
    root,
    show: (state) => {
      root.hidden = state.state !== "open";
      if (state.state !== "open") return;
      const { camera, frame, square } = state;
      say(summary, `${words.side(square.side)} · ${words.frameSize(frame.width, frame.height)}`);
      const offered = sidesFor(frame);
      if (shownSides !== offered.join()) {
        shownSides = offered.join();
        sides.replaceChildren(...offered.map((side) => sideButton(side, desk)));
      }
      for (const each of sides.querySelectorAll("button")) {
        each.setAttribute("aria-pressed", String(Number(each.dataset["side"]) === square.side));
      }
      if (choice.dataset["for"] !== camera.choice.deviceId) void offerCameras(choice, camera.choice);
    },
  };
}

function sideButton(side: number, desk: () => Desk): HTMLButtonElement {
  const made = element("button", { type: "button", "data-side": String(side) }, String(side));
  made.addEventListener("click", () => {
    const { state } = desk();
    if (state.state === "open") desk().place(resized(state.frame, state.square, side));
  });
  return made;
}

async function offerCameras(choice: HTMLSelectElement, open: CameraChoice): Promise<void> {
  choice.dataset["for"] = open.deviceId;
  const cameras = await listCameras();
  choice.replaceChildren(
    ...cameras.map(({ deviceId, label }) =>
      element("option", { value: deviceId, selected: deviceId === open.deviceId }, label),
    ),
  );
}

export interface AcquisitionForm {
  readonly root: HTMLDetailsElement;
  /** What the person wants; remembered for the next time. Null where something must be put right first, which is shown. */
  wanted(): NewAcquisition | null;
  /** Likewise, of a recording that stays on this device. */
  about(): { name: string; pixelSizeNm: number } | null;
}

/** `models`: the generators to choose from; null where none is needed yet. */
export function acquisitionForm(models: (() => Promise<Model[]>) | null, memory: CaptureMemory): AcquisitionForm {
  const kept = memory.acquisition;
  const name = element("input", { id: "film-name", maxlength: "200", autocomplete: "off", placeholder: autoName() });
  const pixelSize = new PixelSizeInput("film-pixel-size", kept?.pixelSizeNm);
  const model = element("select", { id: "film-model" }, element("option", { value: "" }, words.modelDefault));
  const problem = element("p", { class: "problem" });
  name.value = kept?.name ?? "";
  models?.().then(
    (offered) => model.append(...offered.map((each) => modelOption(each, kept))),
    (error: unknown) => say(problem, messageOf(error)),
  );
  const sizeAndModel = element("div", { class: "pair" }, field(words.pixelSize, pixelSize.root));
  if (models !== null) sizeAndModel.append(field(words.model, model));
  const summary = element("span", { class: "fold-state" });
  const root = element(
    "details",
    { class: "fold" },
    element("summary", {}, element("span", {}, words.acquisition), summary),
    field(words.name, name),
    sizeAndModel,
    problem,
  );
  const show = () => say(summary, `${name.value.trim() || autoName()} · ${pixelSize.nm ?? texts.unknown} nm`);
  root.addEventListener("input", show);
  show();
  const about = () => {
    const pixelSizeNm = pixelSize.asked();
    if (pixelSizeNm === null) return null;
    const chosen = models === null ? (kept?.model ?? null) : model.value === "" ? null : model.value;
    memory.acquisition = { name: name.value.trim(), pixelSizeNm, model: chosen };
    return { name: name.value.trim() || autoName(), pixelSizeNm };
  };
  return {
    root,
    about,
    wanted: () => {
      const chosen = about();
      if (chosen === null) return null;
      const settings: NewAcquisition = { name: chosen.name, pixel_size_nm: chosen.pixelSizeNm };
      if (model.value !== "") settings.model = model.value;
      return settings;
    },
  };
}

/** Whoever chose none before films with the one that keeps up with a camera. */
function modelOption({ spec, is_for_live }: Model, kept: CaptureMemory["acquisition"]): HTMLOptionElement {
  const selected = kept === null ? is_for_live : spec.name === kept.model;
  return element("option", { value: spec.name, selected }, is_for_live ? texts.modelForLive(spec.name) : spec.name);
}

function autoName(): string {
  return words.autoName(new Date().toLocaleString([], { dateStyle: "medium", timeStyle: "short" }));
}
