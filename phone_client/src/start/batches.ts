/** Batches and how far they have come; nothing at all where there are none. Each opens; what is over can be hidden. */
import { button, element, say } from "../app/dom";
import { type Entry, keepEntries } from "../app/entries";
import { PageError } from "../app/errors";
import { icon } from "../app/icons";
import { keepListed } from "../app/listed";
import type { Page } from "../app/page";
import { texts } from "../app/texts";
import type { Keep } from "../app/theme";
import type { Batch } from "../generated/models";

const REFRESH_MS = 5000;
const HIDDEN_KEY = "cellstorm.hidden-batches";

export function batchList(page: Page, signal: AbortSignal): HTMLElement {
  const list = element("ul", { class: "batches" });
  const heading = element("h2", { id: "batches-heading" }, texts.batches);
  const card = element("section", { class: "card", "aria-labelledby": "batches-heading", hidden: true }, heading, list);
  const rows = new Map<string, Entry<Batch>>();
  let all: readonly Batch[] = [];
  const show = (batches: readonly Batch[]) => {
    all = batches;
    const shown = worthListing(batches, hiddenBatches(localStorage));
    card.hidden = shown.length === 0;
    keepEntries(rows, list, shown, ({ id }) => newRow(page, id, () => hide(id)));
  };
  const hide = (id: string) => {
    hideBatch(id, all, localStorage);
    show(all);
  };
  const load = (asking: AbortSignal) => page.api.batches(asking);
  void keepListed({ load, show, complain: ignorePageError, everyMs: REFRESH_MS }, signal);
  return card;
}

/** One recording alone is in the list of acquisitions already. */
export function worthListing(batches: readonly Batch[], hidden: readonly string[]): Batch[] {
  return batches.filter((batch) => progressOf(batch).all > 1 && !(batch.is_over && hidden.includes(batch.id)));
}

/** In this browser alone. */
export function hiddenBatches(keep: Keep): string[] {
  return (keep.getItem(HIDDEN_KEY) ?? "").split(" ");
}

/** Of those that were hidden before, what the server has no more needs no remembering. */
export function hideBatch(id: string, all: readonly Batch[], keep: Keep): void {
  const there = hiddenBatches(keep).filter((each) => all.some((batch) => batch.id === each));
  keep.setItem(HIDDEN_KEY, [...there, id].join(" "));
}

/** The list of acquisitions beside it says that the server is away. */
function ignorePageError(problem: unknown): void {
  if (problem !== null && !(problem instanceof PageError)) throw problem;
}

function newRow(page: Page, id: string, hide: () => void): Entry<Batch> {
  const bar = element("progress", {});
  const name = element("span", { class: "entry-name" });
  const left = element("span", { class: "muted small" });
  const detail = element("span", { class: "entry-detail" });
  const words = element("span", { class: "entry-words" }, name, left, detail);
  const open = button("", { class: "batch quiet" }, async () => (await import("./batch")).showBatch(page, id));
  open.replaceChildren(words, bar);
  const away = button(icon("close"), { class: "quiet round", title: texts.batch.hide }, hide);
  const root = element("li", {}, open, away);
  return {
    root,
    show: (batch) => {
      const { all, done, failed } = progressOf(batch);
      say(name, batch.name);
      say(left, !batch.is_over && batch.eta_s !== null ? texts.timeLeft(batch.eta_s) : "");
      say(detail, texts.batchDetail(done, all, failed));
      bar.setAttribute("aria-label", batch.name);
      bar.max = Math.max(1, all);
      bar.value = done;
      bar.hidden = batch.is_over;
      away.hidden = !batch.is_over;
      away.setAttribute("aria-label", texts.batch.hideNamed(batch.name));
    },
    leave: () => root.remove(),
  };
}

/** In acquisitions: how many there are, are over, and are over without a result. */
export function progressOf({ states }: Pick<Batch, "states">): { all: number; done: number; failed: number } {
  const counts = Object.values(states);
  const failed = (states["failed"] ?? 0) + (states["cancelled"] ?? 0);
  return { all: counts.reduce((sum, count) => sum + count, 0), done: (states["finished"] ?? 0) + failed, failed };
}
