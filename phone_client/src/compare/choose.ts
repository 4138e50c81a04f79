/** The dialog that asks with which other acquisition one is to be compared. */
import { openDialog } from "../app/dialog";
import { element, say } from "../app/dom";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { fragmentOf } from "../app/places";
import { texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import { detailOf, found } from "../start/listing";
import { candidatesFor } from "./candidates";
import { isSameRecording } from "./numbers";

const words = texts.choose;

export function chooseOther(page: Page, acquisition: Acquisition): void {
  const search = element("input", { type: "search", placeholder: texts.search, "aria-label": texts.search });
  const list = element("ul", { class: "choices" });
  const empty = element("p", { class: "muted", role: "status", hidden: true });
  const problem = notice();
  const advice = element("p", { class: "muted" }, words.advice);
  const dialog = openDialog(words.heading, advice, search, problem.root, list, empty);
  let candidates: readonly Acquisition[] | null = null;
  const show = () => {
    if (candidates === null) return;
    const shown = found(candidates, { words: search.value, filter: "all" });
    list.replaceChildren(...shown.map((other) => choice(acquisition, other, () => dialog.close())));
    empty.hidden = shown.length > 0;
    say(empty, candidates.length === 0 ? words.none : words.noneFound);
  };
  search.addEventListener("input", show);
  page.api.list().then((all) => {
    candidates = candidatesFor(acquisition, all);
    show();
  }, problem.show);
}

/** What it is compared with stands second, but for what it was made from. */
function choice(acquisition: Acquisition, other: Acquisition, close: () => void): HTMLElement {
  const isOriginal = acquisition.reprocessed_from === other.id;
  const [first, second] = isOriginal ? [other.id, acquisition.id] : [acquisition.id, other.id];
  const link = element(
    "a",
    { class: "choice", href: fragmentOf({ page: "compare", first, second }) },
    element("strong", {}, other.settings.name),
    element("span", { class: "muted small" }, `${other.settings.model} · ${detailOf(other)}`),
  );
  if (isSameRecording(acquisition, other)) link.append(element("span", { class: "same-recording" }, words.same));
  link.addEventListener("click", close);
  return element("li", {}, link);
}
