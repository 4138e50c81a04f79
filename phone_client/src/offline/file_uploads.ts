/** Uploading recordings that lie in files: one acquisition each, resumable as long as this page is open. */
import { button, element, field } from "../app/dom";
import type { Page } from "../app/page";
import { texts } from "../app/texts";
import { UploadControl } from "./upload_control";

const ACCEPTED = "video/*,.mkv,.tif,.tiff";
const USUAL_PIXEL_SIZE_NM = 100;

export function fileUploads(page: Page, signal: AbortSignal): HTMLElement {
  const input = element("input", { type: "file", accept: ACCEPTED, multiple: true, id: "upload-files" });
  const number = { type: "number", inputmode: "decimal", step: "any", min: "1", max: "10000" };
  const pixelSize = element("input", { id: "upload-pixel-size", ...number, value: String(USUAL_PIXEL_SIZE_NM) });
  const list = element("ul", { class: "uploads" });
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    const pixelSizeNm = pixelSize.validity.valid ? pixelSize.valueAsNumber : USUAL_PIXEL_SIZE_NM;
    input.value = ""; // the same file may be chosen again
    list.append(...files.map((file) => entry(file, pixelSizeNm, page, signal)));
  });
  return element(
    "section",
    { class: "card", "aria-labelledby": "upload-heading" },
    element("h2", { id: "upload-heading" }, texts.kept.uploadFile),
    element(
      "div",
      { class: "upload-fields" },
      field(texts.pixelSize, pixelSize, texts.pixelSizeAdvice),
      field(texts.kept.uploadFileDetail, input),
    ),
    list,
  );
}

/** It is sent as soon as it is chosen. */
function entry(file: File, pixelSizeNm: number, page: Page, leaving: AbortSignal): HTMLElement {
  const subject = {
    name: file.name.replace(/\.[^.]*$/, ""),
    pixelSizeNm,
    camera: null,
    upload: { state: "none" } as const,
    file: async () => file,
    note: async () => undefined,
  };
  const remove = button(texts.kept.remove, { "aria-label": texts.kept.removeNamed(file.name) }, () => {
    root.remove();
    return control.discard();
  });
  const control = new UploadControl(subject, page, leaving, (isSending) => (remove.hidden = isSending));
  const actions = element("div", { class: "actions" }, control.action, remove);
  const root = element("li", { class: "upload" }, element("h3", {}, file.name), control.root, actions);
  void control.start();
  return root;
}
