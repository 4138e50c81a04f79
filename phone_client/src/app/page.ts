/** What every place of the page is given. */
import type { Api } from "./api";
import type { Place } from "./places";
import type { Session } from "./session";

export interface Page {
  readonly api: Api;
  readonly session: Session;
  /** Opens another place; `replace` where going back must not lead here again. */
  go(place: Place, how?: "push" | "replace"): void;
}

/** Fills `root` until the signal is aborted. */
export type Show = (root: HTMLElement, page: Page, place: Place, signal: AbortSignal) => void;
