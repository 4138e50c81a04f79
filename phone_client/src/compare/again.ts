/** In the viewer of what is over: the ways to reprocess it, and to compare it with another result. */
import { button, element } from "../app/dom";
import { icon } from "../app/icons";
import type { Page } from "../app/page";
import { fragmentOf } from "../app/places";
import { texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import { isOver } from "../viewer/figures";
import type { View } from "../viewer/view";
import "./again.css";

export interface Again {
  readonly root: HTMLElement;
  show(acquisition: Acquisition): void;
}

/** `seen` is what the viewer shows. */
export function again(page: Page, seen: () => View | null): Again {
  const root = element("section", { class: "again", "aria-label": texts.again.heading, hidden: true });
  let offered = "";
  let newest: Acquisition | null = null;
  const dialogs: Dialogs = {
    reprocess: async () => (await import("./reprocess")).askToReprocess(page, newest!, seen()),
    choose: async () => (await import("./choose")).chooseOther(page, newest!),
  };
  return {
    root,
    show: (acquisition) => {
      newest = acquisition;
      const ways = waysFor(page, acquisition, dialogs);
      const names = ways.map((way) => way.textContent).join();
      if (names === offered) return; // told many times a second, and one of them may have the focus
      offered = names;
      root.replaceChildren(...ways);
      root.hidden = ways.length === 0;
    },
  };
}

interface Dialogs {
  readonly reprocess: () => Promise<void>;
  readonly choose: () => Promise<void>;
}

function waysFor(page: Page, acquisition: Acquisition, { reprocess, choose }: Dialogs): HTMLElement[] {
  const { session } = page;
  const { id, reprocessed_from: original } = acquisition;
  const hasImage = acquisition.localizations > 0;
  const ways: HTMLElement[] = [];
  if (original !== null && hasImage && session.may("watch", original)) {
    const href = fragmentOf({ page: "compare", first: original, second: id });
    ways.push(withIcon("compare", element("a", { class: "button", href }, texts.again.withOriginal)));
  }
  if (session.may("film", id) && canBeReprocessed(acquisition)) {
    ways.push(withIcon("again", button(texts.again.reprocess, {}, reprocess)));
  }
  if (isOver(acquisition) && hasImage && session.may("watch")) {
    ways.push(withIcon("compare", button(texts.again.withAnother, {}, choose)));
  }
  return ways;
}

/** Video is kept of what has ended; of what was refused there is none. */
export function canBeReprocessed({ state, frames_received }: Acquisition): boolean {
  return state === "finished" || (state === "failed" && frames_received > 0);
}

function withIcon(name: Parameters<typeof icon>[0], way: HTMLElement): HTMLElement {
  way.prepend(icon(name));
  return way;
}
