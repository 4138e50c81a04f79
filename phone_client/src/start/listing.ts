/** Which acquisitions the list shows, and in which words. */
import { language, texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import { count } from "../viewer/figures";

export type Filter = "all" | "live" | "finished" | "failed";

export const FILTERS: readonly Filter[] = ["all", "live", "finished", "failed"];

export interface Search {
  readonly words: string;
  readonly filter: Filter;
}

export function found(acquisitions: readonly Acquisition[], { words, filter }: Search): Acquisition[] {
  const wanted = words.toLocaleLowerCase().split(/\s+/);
  return acquisitions.filter(
    ({ settings, state }) =>
      fits(state, filter) && wanted.every((word) => settings.name.toLocaleLowerCase().includes(word)),
  );
}

function fits(state: Acquisition["state"], filter: Filter): boolean {
  if (filter === "all") return true;
  if (filter === "live") return state === "waiting" || state === "receiving" || state === "processing";
  return state === filter;
}

/** When it began, of today without the date; and how much is in it. */
export function detailOf(acquisition: Acquisition, now = new Date()): string {
  const begun = new Date(acquisition.created_at);
  const isToday = begun.toDateString() === now.toDateString();
  const when = begun.toLocaleString(language, { timeStyle: "short", ...(!isToday && { dateStyle: "medium" }) });
  return texts.entryDetail(when, count(acquisition.localizations));
}
