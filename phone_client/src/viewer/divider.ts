/** A divider across images that is dragged, or moved by keys; to a screen reader it is a slider. */
import { element } from "../app/dom";

const STEP = 0.02;
const PAGE = 0.1;

export interface Divider {
  readonly root: HTMLElement;
  /** How much of the width lies on its left. */
  readonly share: number;
  moveTo(share: number): void;
}

/** To be put into what it divides; `on` hears where it is, at once and whenever it moves. */
export function divider(label: string, on: (share: number) => void, signal: AbortSignal): Divider {
  let share = 0.5;
  const root = element("div", { class: "split-handle", role: "slider", tabindex: "0", "aria-label": label });
  root.setAttribute("aria-valuemin", "0");
  root.setAttribute("aria-valuemax", "100");
  const moveTo = (to: number) => {
    share = Math.min(1, Math.max(0, to));
    root.style.left = `${100 * share}%`;
    root.style.setProperty("--at", String(share));
    root.setAttribute("aria-valuenow", String(Math.round(100 * share)));
    on(share);
  };
  const drag = (event: PointerEvent) => {
    if (!root.hasPointerCapture(event.pointerId) || root.parentElement === null) return;
    const { left, width } = root.parentElement.getBoundingClientRect();
    moveTo((event.clientX - left) / width);
  };
  const hold = (event: PointerEvent) => {
    event.stopPropagation(); // not the image's
    root.setPointerCapture(event.pointerId);
  };
  const press = (event: KeyboardEvent) => {
    const to = shareAfter(event.key, share);
    if (to === null) return;
    event.preventDefault();
    event.stopPropagation();
    moveTo(to);
  };
  root.addEventListener("pointerdown", hold, { signal });
  root.addEventListener("pointermove", drag, { signal });
  root.addEventListener("keydown", press, { signal });
  moveTo(share);
  return {
    root,
    get share() {
      return share;
    },
    moveTo,
  };
}

/** What a slider's keys do (ARIA Authoring Practices, slider); null for all others. */
export function shareAfter(key: string, share: number): number | null {
  switch (key) {
    case "ArrowLeft":
    case "ArrowDown":
      return share - STEP;
    case "ArrowRight":
    case "ArrowUp":
      return share + STEP;
    case "PageDown":
      return share - PAGE;
    case "PageUp":
      return share + PAGE;
    case "Home":
      return 0;
    case "End":
      return 1;
    default:
      return null;
  }
}
