/** Several views in one place, one of them seen: camera, image, widefield. */
import { element } from "../app/dom";
import { texts } from "../app/texts";

export type TabName = keyof typeof texts.capture.tabs;

export interface Tabs {
  readonly root: HTMLElement;
  /** Puts a view behind a name; a name without one is not offered. */
  put(name: TabName, view: HTMLElement): void;
  open(name: TabName): void;
}

const NAMES: readonly TabName[] = ["camera", "image", "widefield"];

export function tabs(): Tabs {
  const views = new Map<TabName, HTMLElement>();
  const buttons = new Map<TabName, HTMLButtonElement>();
  const list = element("div", { class: "segments tabs", role: "tablist", "aria-label": texts.capture.views });
  const stage = element("div", { class: "views" });
  const open = (name: TabName) => {
    if (!views.has(name)) return;
    for (const [each, view] of views) view.classList.toggle("behind", each !== name);
    for (const [each, tab] of buttons) {
      tab.setAttribute("aria-selected", String(each === name));
      tab.tabIndex = each === name ? 0 : -1;
    }
  };
  for (const name of NAMES) {
    const tab = element(
      "button",
      { type: "button", role: "tab", id: `tab-${name}`, hidden: true },
      texts.capture.tabs[name],
    );
    tab.addEventListener("click", () => open(name));
    tab.addEventListener("keydown", (event) => {
      const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
      const offered = NAMES.filter((each) => views.has(each));
      const next = offered[(offered.indexOf(name) + step + offered.length) % offered.length];
      if (step === 0 || next === undefined) return;
      open(next);
      buttons.get(next)?.focus();
    });
    buttons.set(name, tab);
    list.append(tab);
  }
  return {
    root: element("section", { class: "stage-of-views" }, stage, list),
    put: (name, view) => {
      const panel = element("div", { class: "view", role: "tabpanel", "aria-labelledby": `tab-${name}` }, view);
      views.get(name)?.remove();
      views.set(name, panel);
      stage.append(panel);
      buttons.get(name)!.hidden = false;
      list.hidden = views.size < 2;
      open(views.size === 1 ? name : ([...buttons].find(([, tab]) => tab.ariaSelected === "true")?.[0] ?? name));
    },
    open,
  };
}
