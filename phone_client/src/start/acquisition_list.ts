/** The acquisitions of the class, newest first: searched, opened, shared and deleted. Rows stay while they are there. */
import { confirmed } from "../app/dialog";
import { button, element, say } from "../app/dom";
import { type Entry, keepEntries } from "../app/entries";
import { PageError } from "../app/errors";
import { icon } from "../app/icons";
import { keepListed } from "../app/listed";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { type Pictures, imageTarget, picturesOf } from "../app/pictures";
import { fragmentOf } from "../app/places";
import { stateWord } from "../app/states";
import { texts } from "../app/texts";
import { toast } from "../app/toast";
import type { Acquisition } from "../generated/models";
import { FILTERS, type Filter, detailOf, found } from "./listing";
import { shareAcquisition } from "./share";

const REFRESH_MS = 3000;
const PICTURES = { everyMs: 150, eachMs: 5000 };

export function acquisitionList(page: Page, signal: AbortSignal): HTMLElement {
  const list = element("ul", { class: "acquisitions" });
  const empty = element("p", { class: "muted", hidden: true });
  const counted = element("span", { class: "muted small" });
  const problem = notice();
  const { search, filter, root: tools } = searchTools();
  const heading = element("h2", { id: "list-heading" }, texts.acquisitions);
  const head = element("div", { class: "list-head" }, heading, counted);
  const card = element("section", { class: "card", "aria-labelledby": "list-heading" });
  card.append(head, tools, problem.root, list, empty);

  const pictures = picturesOf((id, nm, asking) => page.api.picture(id, nm, asking), PICTURES);
  const rows = new Map<string, Entry>();
  let all: Acquisition[] = [];
  const show = () => {
    const shown = found(all, { words: search.value, filter: filter.value as Filter });
    keepEntries(rows, list, shown, (acquisition) => newRow(page, acquisition, pictures, signal));
    empty.hidden = shown.length > 0;
    say(empty, all.length === 0 ? texts.noAcquisitions : texts.noneFound);
    say(counted, all.length === 0 ? "" : texts.foundCount(shown.length, all.length));
    tools.hidden = all.length < 2;
  };
  search.addEventListener("input", show);
  filter.addEventListener("change", show);
  void pictures.keepFresh(signal);
  const listing = {
    load: (asking: AbortSignal) => page.api.list(asking),
    show: (acquisitions: Acquisition[]) => {
      all = acquisitions;
      show();
    },
    complain: problem.show,
    everyMs: REFRESH_MS,
  };
  void keepListed(listing, signal);
  return card;
}

function searchTools(): { root: HTMLElement; search: HTMLInputElement; filter: HTMLSelectElement } {
  const search = element("input", { type: "search", placeholder: texts.search, "aria-label": texts.search });
  const options = FILTERS.map((each) => element("option", { value: each }, texts.filters[each]));
  const filter = element("select", { "aria-label": texts.filter }, ...options);
  return { root: element("div", { class: "list-tools", hidden: true }, search, filter), search, filter };
}

function newRow(page: Page, first: Acquisition, pictures: Pictures, signal: AbortSignal): Entry {
  const { id } = first;
  const leaving = new AbortController();
  const image = element("img", { alt: "", hidden: true });
  const name = element("span", { class: "entry-name" });
  const state = element("span", { class: "state" });
  const detail = element("span", { class: "entry-detail" });
  const words = element("span", { class: "entry-words" }, name, state, detail);
  const thumbnail = element("span", { class: "thumbnail" }, image);
  const link = element("a", { class: "entry", href: fragmentOf({ page: "view", id }) }, thumbnail, words);
  const root = element("li", {}, link);
  if (page.session.may("film", id)) root.append(...rowActions(page, first));
  const target = imageTarget(image, AbortSignal.any([signal, leaving.signal]));
  return {
    root,
    show: (acquisition) => {
      say(name, acquisition.settings.name);
      say(state, stateWord(acquisition));
      state.dataset["state"] = acquisition.state;
      say(detail, detailOf(acquisition));
      pictures.want(acquisition, target);
    },
    leave: () => {
      leaving.abort();
      pictures.forget(id);
      root.remove();
    },
  };
}

function rowActions(page: Page, { id, settings }: Acquisition): HTMLElement[] {
  const share = { class: "quiet round", "aria-label": texts.shareNamed(settings.name), title: texts.share };
  const remove = { class: "quiet round", "aria-label": texts.deleteNamed(settings.name), title: texts.delete };
  return [
    button(icon("share"), share, () => shareAcquisition(page, id)),
    button(icon("trash"), remove, () => removeAfterQuestion(page, id, settings.name)),
  ];
}

async function removeAfterQuestion(page: Page, id: string, name: string): Promise<void> {
  if (!(await confirmed(texts.deleteHeading, texts.deleteQuestion(name), texts.deleteNow))) return;
  try {
    await page.api.delete(id);
    toast(texts.deletedNow);
  } catch (error) {
    if (!(error instanceof PageError)) throw error;
    toast(error.message);
  }
}
