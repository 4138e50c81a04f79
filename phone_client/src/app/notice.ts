/** What went wrong, where it went wrong, and a way to try again. Read out as soon as it appears. */
import { button, element, say } from "./dom";
import { messageOf } from "./errors";
import { texts } from "./texts";

export interface Notice {
  readonly root: HTMLElement;
  /** Shows an error or a sentence; null takes it away. */
  show(problem: unknown): void;
}

/** With `again`, it offers to do that. */
export function notice(again?: () => Promise<void> | void): Notice {
  const words = element("p");
  const root = element("div", { class: "notice", role: "alert", hidden: true }, words);
  if (again !== undefined) root.append(button(texts.tryAgain, {}, again));
  return {
    root,
    show: (problem) => {
      root.hidden = problem === null;
      say(words, problem === null ? "" : messageOf(problem));
    },
  };
}
