/** Reconstruction on this device: a camera or a recording in, the growing image, a table to keep. Nothing is sent. */
import { button, element } from "../app/dom";
import { PageError } from "../app/errors";
import { icon } from "../app/icons";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import type { Place } from "../app/places";
import { frame } from "../app/shell";
import { texts } from "../app/texts";
import { RecordingStore } from "../offline/store";
import "./local.css";
import { type LocalSource, cameraSource, fileSource } from "./sources";
import { settingsForm } from "./settings_form";
import { RunView } from "./run_view";
import { localGenerators } from "./weights";

export function show(root: HTMLElement, page: Page, place: Place, signal: AbortSignal): void {
  const main = frame(root, page, "local");
  const problem = notice();
  const run = element("div", { class: "local-run" });
  main.classList.add("local");
  main.append(
    element("h1", {}, texts.localTitle),
    element("p", { class: "muted" }, texts.onDevice.advice),
    problem.root,
  );
  const recording = place.page === "local" ? place.recording : null;
  void offer(main, run, recording, problem.show, signal).catch((error: unknown) => {
    if (!signal.aborted) problem.show(error);
  });
  main.append(run);
}

/** What can be chosen, once it is known which generators there are. */
async function offer(
  main: HTMLElement,
  run: HTMLElement,
  recording: string | null,
  complain: (problem: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  const generators = await localGenerators(signal);
  if (generators.length === 0) throw new PageError("not_found", texts.onDevice.noGenerator);
  const form = settingsForm(generators);
  let stop = new AbortController(); // of frames; what was found is shown on
  let shown = new AbortController();
  signal.addEventListener("abort", () => [stop, shown].forEach((each) => each.abort()), { once: true });

  const begin = async (open: () => Promise<LocalSource>) => {
    const chosen = form.chosen();
    if (chosen === null) return;
    complain(null);
    for (const each of [stop, shown]) each.abort();
    const mine = new AbortController();
    [stop, shown] = [mine, new AbortController()];
    try {
      const source = await open();
      if (mine.signal.aborted || signal.aborted) {
        source.close(); // something else was begun while the browser asked for the camera
        return;
      }
      const view = new RunView(source, chosen, mine, shown.signal);
      run.replaceChildren(view.root);
      view.root.scrollIntoView({ block: "nearest" }); // on a phone it lies below what was chosen
      view.run().finally(source.close).catch(complain);
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      complain(error);
    }
  };
  const file = fileButton((chosen) => void begin(async () => fileSource(chosen)));
  const camera = button(icon("camera"), { class: "primary" }, () => begin(cameraSource));
  camera.append(texts.onDevice.camera);
  main.insertBefore(
    element("section", { class: "card" }, form.root, element("div", { class: "actions" }, camera, file)),
    run,
  );
  if (recording !== null) void begin(async () => fileSource(await keptFile(recording)));
}

/** Of a recording on this device. */
async function keptFile(id: string): Promise<File> {
  const store = await RecordingStore.open();
  try {
    const recording = (await store.all()).find((one) => one.id === id);
    if (recording === undefined) throw new PageError("not_found", texts.kept.gone);
    return await store.file(recording);
  } finally {
    store.close();
  }
}

/** A label is a button for its input, in every browser. */
function fileButton(chosen: (file: File) => void): HTMLElement {
  const input = element("input", { type: "file", accept: "video/*,.mkv", class: "hidden-text", id: "local-file" });
  input.addEventListener("change", () => {
    const [file] = input.files ?? [];
    if (file !== undefined) chosen(file);
    input.value = ""; // the same file may be chosen again
  });
  const label = element("label", { class: "button", for: "local-file" }, icon("upload"), texts.onDevice.file);
  return element("span", { class: "file-button" }, input, label);
}
