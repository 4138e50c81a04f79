/** The camera's picture with the active square upon it: dragged, moved by arrow keys, tapped to look closer. */
import { element } from "../app/dom";
import { texts } from "../app/texts";
import { type Size, type Square, moved, resized, sidesFor } from "./square";

const words = texts.capture;
const DRAG_PX = 8;
const KEY_STEPS: Readonly<Record<string, readonly [number, number]>> = {
  ArrowLeft: [-2, 0],
  ArrowRight: [2, 0],
  ArrowUp: [0, -2],
  ArrowDown: [0, 2],
};
const FAST = 16;

export interface FinderEvents {
  placed: (square: Square) => void;
  /** In pixels of the square. */
  looked: (x: number, y: number) => void;
}

export interface Finder {
  readonly root: HTMLElement;
  show(stream: MediaStream | null, frame: Size, square: Square): void;
  /** While it films, the square stays where it is. */
  fix(isFixed: boolean): void;
}

export function finder(events: FinderEvents): Finder {
  const video = element("video", { playsinline: true, autoplay: true, "aria-hidden": "true" });
  video.muted = true;
  const mark = element("span", { class: "look-mark", hidden: true });
  const box = element("div", { class: "square", role: "application", tabindex: "0", "aria-label": words.square }, mark);
  const root = element("div", { class: "finder", role: "group", "aria-label": words.finder }, video, box);
  let frame: Size = { width: 16, height: 9 };
  let square: Square = { x: 0, y: 0, side: 9 };
  let isFixed = false;

  const place = (wanted: Square) => {
    if (!isFixed) events.placed(wanted);
  };
  const lookAt = (event: PointerEvent) => {
    const { left, top, width } = box.getBoundingClientRect();
    const [x, y] = [(event.clientX - left) / width, (event.clientY - top) / width];
    if (x < 0 || y < 0 || x > 1 || y > 1) return;
    mark.hidden = false;
    mark.style.left = `${100 * x}%`;
    mark.style.top = `${100 * y}%`;
    events.looked(x * square.side, y * square.side);
  };
  const pixelsPerCss = () => frame.width / root.getBoundingClientRect().width;
  onDrag(root, lookAt, () => {
    const from = square;
    return (dx, dy) => place(moved(frame, from, dx * pixelsPerCss(), dy * pixelsPerCss()));
  });
  box.addEventListener("keydown", (event) => {
    const step = KEY_STEPS[event.key];
    const factor = event.shiftKey ? FAST : 1;
    if (step !== undefined) place(moved(frame, square, step[0] * factor, step[1] * factor));
    else if (event.key === "+" || event.key === "-") place(resized(frame, square, neighbour(frame, square, event.key)));
    else return;
    event.preventDefault();
  });
  return {
    root,
    show: (stream, newFrame, newSquare) => {
      if (video.srcObject !== stream) video.srcObject = stream;
      [frame, square] = [newFrame, newSquare];
      root.style.aspectRatio = `${frame.width} / ${frame.height}`;
      box.style.left = `${(100 * square.x) / frame.width}%`;
      box.style.top = `${(100 * square.y) / frame.height}%`;
      box.style.width = `${(100 * square.side) / frame.width}%`;
    },
    fix: (fixed) => {
      isFixed = fixed;
      root.classList.toggle("fixed", fixed);
    },
  };
}

/** The next larger or smaller side. */
function neighbour(frame: Size, { side }: Square, key: "+" | "-"): number {
  const sides = sidesFor(frame);
  const found = key === "+" ? sides.find((each) => each > side) : sides.filter((each) => each < side).at(-1);
  return found ?? side;
}

/** A tap, or a drag: `begin` is asked for what follows the pointer from then on. */
function onDrag(
  target: HTMLElement,
  tap: (event: PointerEvent) => void,
  begin: () => (dx: number, dy: number) => void,
): void {
  let down: { x: number; y: number; id: number; move: ((dx: number, dy: number) => void) | null } | null = null;
  target.addEventListener("pointerdown", (event) => {
    if (down !== null || event.button !== 0) return;
    down = { x: event.clientX, y: event.clientY, id: event.pointerId, move: null };
    target.setPointerCapture(event.pointerId);
  });
  target.addEventListener("pointermove", (event) => {
    if (down?.id !== event.pointerId) return;
    const [dx, dy] = [event.clientX - down.x, event.clientY - down.y];
    if (down.move === null && Math.hypot(dx, dy) > DRAG_PX) down.move = begin();
    down.move?.(dx, dy);
  });
  target.addEventListener("pointerup", (event) => {
    if (down?.id !== event.pointerId) return;
    if (down.move === null) tap(event);
    down = null;
  });
  target.addEventListener("pointercancel", () => (down = null));
}
