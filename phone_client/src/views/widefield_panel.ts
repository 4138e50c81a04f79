/** The sum of all frames, as the server renders it, fetched again while frames come. */
import type { Api } from "../api";
import { PageError } from "../errors";
import type { Acquisition } from "../generated/models";
import { texts } from "../texts";
import { element } from "./dom";

const EVERY_MS = 2000;
const LOOK_EVERY_MS = 200;

export function widefieldPanel(
  id: string,
  api: Api,
  signal: AbortSignal,
): { root: HTMLElement; show: (acquisition: Acquisition) => void } {
  const image = element("img", { alt: texts.widefieldAlt, hidden: true });
  const empty = element("p", { class: "placeholder" }, texts.widefieldWaits);
  const caption = element("figcaption", {}, texts.widefield);
  const root = element("figure", { class: "widefield" }, element("div", { class: "picture" }, image, empty), caption);
  let wanted = 0; // frames that the newest picture should hold
  let shown = 0;
  let askedAtMs = -Infinity;
  let url: string | null = null;

  const refresh = async () => {
    if (wanted === shown || document.hidden || performance.now() - askedAtMs < EVERY_MS) return;
    const asked = wanted;
    askedAtMs = performance.now();
    const picture = await api.widefield(id, signal);
    if (picture === null) return;
    const old = url;
    url = URL.createObjectURL(picture);
    image.src = url;
    await image.decode();
    if (old !== null) URL.revokeObjectURL(old);
    shown = asked;
    image.hidden = false;
    empty.hidden = true;
  };
  const keepFresh = async () => {
    while (!signal.aborted) {
      await refresh().catch((error: unknown) => {
        // The figures beside it say that the server is gone; the old picture stays.
        if (!signal.aborted && !(error instanceof PageError) && !(error instanceof DOMException)) throw error;
      });
      await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    }
    if (url !== null) URL.revokeObjectURL(url);
  };
  void keepFresh();
  return {
    root,
    show: (acquisition) => {
      wanted = acquisition.frames_processed;
    },
  };
}
