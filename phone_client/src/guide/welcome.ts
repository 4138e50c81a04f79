/** On the first visit: that there is a guide. Once dismissed or read, never again. */
import { button, element } from "../app/dom";
import { icon } from "../app/icons";
import { fragmentOf } from "../app/places";
import { texts } from "../app/texts";
import type { Keep } from "../app/theme";
import "./welcome.css";

const KEY = "cellstorm.guide-seen";

function hasSeenGuide(keep: Keep): boolean {
  return keep.getItem(KEY) !== null;
}

export function rememberGuide(keep: Keep): void {
  keep.setItem(KEY, "yes");
}

/** Null where it has been seen. */
export function welcome(keep: Keep): HTMLElement | null {
  if (hasSeenGuide(keep)) return null;
  const read = element("a", { class: "button primary", href: fragmentOf({ page: "guide" }) }, texts.welcomeRead);
  const dismiss = button(texts.welcomeDismiss, {}, () => {
    rememberGuide(keep);
    root.remove();
  });
  const words = element("p", {}, element("strong", {}, texts.welcomeHeading), ` ${texts.welcomeWords}`);
  const actions = element("div", { class: "actions" }, dismiss, read);
  const root = element("section", { class: "card welcome", "aria-label": texts.welcomeHeading });
  root.append(icon("guide"), words, actions);
  return root;
}
