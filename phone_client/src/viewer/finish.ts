/** Of what a phone films, for whoever may film it: the way to end it, though the phone has vanished. */
import { confirmed } from "../app/dialog";
import { button, element, say } from "../app/dom";
import { icon } from "../app/icons";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { sourceOf } from "../app/states";
import { texts } from "../app/texts";
import type { Acquisition } from "../generated/models";

const { finish } = texts;

export interface FinishPanel {
  readonly root: HTMLElement;
  show(acquisition: Acquisition): void;
}

export function finishPanel(page: Page, id: string): FinishPanel {
  const problem = notice();
  const word = element("span", {}, finish.button);
  const press = button(icon("check"), {}, async () => {
    if (!(await confirmed(finish.heading, finish.question, finish.button))) return;
    press.disabled = true;
    say(word, finish.finishing);
    problem.show(null);
    try {
      await page.api.finish(id);
    } catch (error) {
      problem.show(error);
      press.disabled = false;
      say(word, finish.button);
    }
  });
  press.append(word);
  const advice = element("p", { class: "muted small" }, finish.advice);
  const root = element("section", { class: "finish", "aria-label": finish.button, hidden: true });
  root.append(press, advice, problem.root);
  return {
    root,
    show: (acquisition) => {
      root.hidden = !(page.session.may("film", id) && canBeFinished(acquisition));
      advice.hidden = (acquisition.fps ?? 0) > 0; // it has not vanished
    },
  };
}

/** Recordings end by themselves, and of nothing there are no results. */
export function canBeFinished(acquisition: Acquisition): boolean {
  const isOpen = acquisition.state === "waiting" || acquisition.state === "receiving";
  return isOpen && sourceOf(acquisition) === "phone";
}
