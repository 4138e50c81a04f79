/** Batches and how far they have come; nothing at all where there are none. */
import { element, say } from "../app/dom";
import { PageError } from "../app/errors";
import { keepListed } from "../app/listed";
import type { Page } from "../app/page";
import { texts } from "../app/texts";
import type { Batch } from "../generated/models";

const REFRESH_MS = 5000;

export function batchList(page: Page, signal: AbortSignal): HTMLElement {
  const list = element("ul", { class: "batches" });
  const heading = element("h2", { id: "batches-heading" }, texts.batches);
  const card = element("section", { class: "card", "aria-labelledby": "batches-heading", hidden: true }, heading, list);
  const show = (batches: Batch[]) => {
    card.hidden = batches.length === 0;
    list.replaceChildren(...batches.map(entry));
  };
  const load = (asking: AbortSignal) => page.api.batches(asking);
  void keepListed({ load, show, complain: ignorePageError, everyMs: REFRESH_MS }, signal);
  return card;
}

/** The list of acquisitions beside it says that the server is away. */
function ignorePageError(problem: unknown): void {
  if (problem !== null && !(problem instanceof PageError)) throw problem;
}

function entry(batch: Batch): HTMLElement {
  const { all, done, failed } = progressOf(batch);
  const bar = element("progress", { max: String(Math.max(1, all)), "aria-label": batch.name });
  bar.value = done;
  const left = element("span", { class: "muted small" });
  if (!batch.is_over && batch.eta_s !== null) say(left, texts.timeLeft(batch.eta_s));
  const words = element("span", { class: "entry-words" }, element("span", { class: "entry-name" }, batch.name), left);
  const detail = element("span", { class: "entry-detail" }, texts.batchDetail(done, all, failed));
  words.append(detail);
  return element("li", {}, words, bar);
}

/** In acquisitions: how many there are, are over, and are over without a result. */
export function progressOf({ states }: Pick<Batch, "states">): { all: number; done: number; failed: number } {
  const counts = Object.values(states);
  const failed = (states["failed"] ?? 0) + (states["cancelled"] ?? 0);
  return { all: counts.reduce((sum, count) => sum + count, 0), done: (states["finished"] ?? 0) + failed, failed };
}
