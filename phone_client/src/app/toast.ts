/** A sentence that passes by, for what needs no answer. */
import { button, element } from "./dom";

const SHOWN_MS = 5000;
const AT_MOST = 3;

export function toast(text: string, action?: { label: string; do: () => void }): void {
  const made = element("div", { class: "toast" }, element("span", {}, text));
  const all = region();
  if (action !== undefined) made.append(button(action.label, {}, action.do));
  else setTimeout(() => made.remove(), SHOWN_MS);
  all.append(made);
  while (all.childElementCount > AT_MOST) all.firstElementChild!.remove();
}

/** One for the whole page, beside the place, so that what it says outlives a change of place. */
function region(): HTMLElement {
  const known = document.querySelector<HTMLElement>(".toasts");
  if (known !== null) return known;
  const made = element("div", { class: "toasts", role: "status", "aria-live": "polite" });
  document.body.append(made);
  return made;
}
