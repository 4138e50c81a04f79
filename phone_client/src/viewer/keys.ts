/** What keys do, and the list that says so. */
import { openDialog } from "../app/dialog";
import { element } from "../app/dom";
import { texts } from "../app/texts";

export interface KeyActions {
  pan(right: number, down: number): void;
  zoom(factor: number): void;
  fit(): void;
  mode(place: number): void;
  nextColormap(): void;
  invert(): void;
  space(): void;
  fullScreen(): void;
  savePicture(): void;
  help(): void;
}

const PAN_PX = 60;
const ZOOM = 1.4;

/** Until the signal is aborted; keys that are meant for a control or a dialog stay theirs. */
export function listenToKeys(actions: KeyActions, signal: AbortSignal): void {
  const press = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isForControl(event)) return;
    const act = ACTIONS[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act(actions);
  };
  document.addEventListener("keydown", press, { signal });
}

/** The names of keys, and what each does. */
export function showKeys(names: Readonly<Record<string, readonly [string, string]>>): void {
  const rows = Object.values(names).map(([keys, meaning]) =>
    element("div", { class: "key-row" }, element("dt", {}, element("kbd", {}, keys)), element("dd", {}, meaning)),
  );
  openDialog(texts.viewer.keys, element("dl", { class: "key-list" }, ...rows));
}

const ACTIONS: Readonly<Record<string, (actions: KeyActions) => void>> = {
  ArrowLeft: ({ pan }) => pan(PAN_PX, 0),
  ArrowRight: ({ pan }) => pan(-PAN_PX, 0),
  ArrowUp: ({ pan }) => pan(0, PAN_PX),
  ArrowDown: ({ pan }) => pan(0, -PAN_PX),
  "+": ({ zoom }) => zoom(ZOOM),
  "=": ({ zoom }) => zoom(ZOOM),
  "-": ({ zoom }) => zoom(1 / ZOOM),
  "0": ({ fit }) => fit(),
  "1": ({ mode }) => mode(0),
  "2": ({ mode }) => mode(1),
  "3": ({ mode }) => mode(2),
  c: ({ nextColormap }) => nextColormap(),
  i: ({ invert }) => invert(),
  " ": ({ space }) => space(),
  f: ({ fullScreen }) => fullScreen(),
  s: ({ savePicture }) => savePicture(),
  "?": ({ help }) => help(),
};

/** Sliders, switches and buttons want arrows and the space bar; whatever is typed into wants all keys. */
function isForControl({ target, key }: KeyboardEvent): boolean {
  if (!(target instanceof Element)) return false;
  const control = target.closest("input, select, textarea, dialog, button, summary, [role=slider]");
  if (control === null) return false;
  return !control.matches(MOVED_OR_PRESSED) || key === " " || (key.startsWith("Arrow") && !control.matches("button"));
}

const MOVED_OR_PRESSED = "input[type=range], input[type=checkbox], button, summary, [role=slider]";
