/** The sum of all frames, as the server renders it, in a place of its own. */
import type { Api } from "../app/api";
import { element, say } from "../app/dom";
import { texts } from "../app/texts";
import { type FieldPicture, fetched } from "./field_picture";
import { isOver } from "./figures";

const EVERY_MS = 2000;

export function widefieldPanel(id: string, api: Api, signal: AbortSignal): FieldPicture {
  const image = element("img", { alt: texts.widefieldAlt, hidden: true });
  const empty = element("p", { class: "placeholder" }, texts.widefieldWaits);
  const picture = element("div", { class: "picture" }, image, empty);
  const root = element("div", { class: "widefield" }, picture);
  const panel = fetched(root, image, EVERY_MS, signal, async () => {
    const found = await api.widefield(id, signal);
    const after = () => {
      image.hidden = false;
      empty.hidden = true;
    };
    return found && { picture: found, after };
  });
  const show: FieldPicture["show"] = (acquisition) => {
    if (isOver(acquisition) && acquisition.frames_processed === 0) say(empty, texts.widefieldNone);
    panel.show(acquisition);
  };
  return { ...panel, show };
}
