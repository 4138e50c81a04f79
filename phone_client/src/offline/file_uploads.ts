/**
 * Uploading recordings that lie in files: one acquisition each, resumable as long as this page is open. They go on,
 * whichever place of it is on the screen.
 */
import { button, element, field } from "../app/dom";
import type { Page } from "../app/page";
import { PixelSizeInput } from "../app/pixel_size";
import { texts } from "../app/texts";
import { UploadControl } from "./upload_control";

const ACCEPTED = "video/*,.mkv,.tif,.tiff";

/** The page's own list: whoever comes back to it finds it as it is by then. */
const LISTS = new WeakMap<Page, HTMLElement>();

export function fileUploads(page: Page): HTMLElement {
  const input = element("input", { type: "file", accept: ACCEPTED, multiple: true, id: "upload-files" });
  const pixelSize = new PixelSizeInput("upload-pixel-size");
  const list = LISTS.get(page) ?? element("ul", { class: "uploads" });
  LISTS.set(page, list);
  input.addEventListener("change", () => {
    const files = [...(input.files ?? [])];
    const pixelSizeNm = pixelSize.asked();
    input.value = ""; // the same file may be chosen again
    if (pixelSizeNm !== null) list.append(...files.map((file) => entry(file, pixelSizeNm, page)));
  });
  return element(
    "section",
    { class: "card", "aria-labelledby": "upload-heading" },
    element("h2", { id: "upload-heading" }, texts.kept.uploadFile),
    element(
      "div",
      { class: "upload-fields" },
      field(texts.pixelSize, pixelSize.root, texts.pixelSizeAdvice),
      field(texts.kept.uploadFileDetail, input),
    ),
    list,
  );
}

/** It is sent as soon as it is chosen. */
function entry(file: File, pixelSizeNm: number, page: Page): HTMLElement {
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
  const control = new UploadControl(subject, page, null, (isSending) => (remove.hidden = isSending));
  const actions = element("div", { class: "actions" }, control.action, remove);
  const root = element("li", { class: "upload" }, element("h3", {}, file.name), control.root, actions);
  void control.start();
  return root;
}
