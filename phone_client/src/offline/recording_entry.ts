/** One recording in the list: upload it (again), open what became of it, reconstruct it here, save it, delete it. */
import { confirmed } from "../app/dialog";
import { button, element } from "../app/dom";
import { saveAs } from "../app/files";
import { icon } from "../app/icons";
import type { Page } from "../app/page";
import { fragmentOf } from "../app/places";
import { texts } from "../app/texts";
import { duration, size } from "./amounts";
import type { Recording, RecordingStore } from "./store";
import { UploadControl } from "./upload_control";

/** `onGone` hears that it was deleted; the entry has left the list by then. */
export function recordingEntry(
  recording: Recording,
  store: RecordingStore,
  page: Page,
  onGone: () => void,
  leaving: AbortSignal,
): HTMLElement {
  const { id, name, begunAt, durationS, bytes } = recording;
  const control = new UploadControl(
    { ...recording, file: () => store.file(recording), note: (upload) => store.change(id, { upload }) },
    page,
    leaving,
  );
  const remove = async () => {
    const isSafe = control.upload.state === "done";
    const question = isSafe ? texts.kept.deleteUploaded(name) : texts.kept.deleteQuestion(name);
    if (!(await confirmed(texts.kept.deleteHeading, question, texts.kept.delete)) || leaving.aborted) return;
    control.pause();
    await store.delete(id);
    root.remove();
    onGone();
  };
  const save = async () => {
    const file = await store.file(recording);
    saveAs(file, file.name);
  };
  const when = new Date(begunAt).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  const trash = { class: "quiet round", "aria-label": texts.deleteNamed(name), title: texts.kept.delete };
  const actions = element(
    "div",
    { class: "actions" },
    control.action,
    element("a", { class: "button", href: fragmentOf({ page: "local", recording: id }) }, texts.kept.here),
    button(texts.kept.save, {}, save),
    button(icon("trash"), trash, remove),
  );
  const detail = element("p", { class: "muted small" }, texts.kept.detail(when, duration(durationS), size(bytes)));
  const root = element("li", { class: "recording card" }, element("h2", {}, name), detail, control.root, actions);
  return root;
}
