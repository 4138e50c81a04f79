/** Fingers, mouse and wheel as movements of a view; what they do to it is said elsewhere. */
export interface Moves {
  /** As if the image was dragged by so many CSS pixels. */
  pan(rightPx: number, downPx: number): void;
  /** `factor` times as large, around a place of the element. */
  zoom(factor: number, xPx: number, yPx: number): void;
  /** Where the pointer is; null when it has left. */
  hover(place: readonly [number, number] | null): void;
}

const DOUBLE_FACTOR = 2;
const WHEEL_FACTOR = 1.0015; // per CSS pixel of turning
const LINE_PX = 16;
const PAGE_PX = 400;

/** Until the signal is aborted. */
export function listen(element: HTMLElement, moves: Moves, signal: AbortSignal): void {
  const pointers = new Map<number, readonly [number, number]>();
  const placeOf = (event: MouseEvent): readonly [number, number] => {
    const { left, top } = element.getBoundingClientRect();
    return [event.clientX - left, event.clientY - top];
  };
  const down = (event: PointerEvent) => {
    if (event.button !== 0) return;
    pointers.set(event.pointerId, placeOf(event));
    element.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent) => {
    const place = placeOf(event);
    if (event.pointerType === "mouse") moves.hover(place);
    const before = pointers.get(event.pointerId);
    if (before === undefined) return;
    const other = [...pointers].find(([id]) => id !== event.pointerId)?.[1];
    pointers.set(event.pointerId, place);
    if (other === undefined) moves.pan(place[0] - before[0], place[1] - before[1]);
    else pinch(moves, other, before, place);
  };
  const up = (event: PointerEvent) => pointers.delete(event.pointerId);
  const wheel = (event: WheelEvent) => {
    event.preventDefault();
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE_PX : event.deltaMode === 0 ? 1 : PAGE_PX;
    moves.zoom(WHEEL_FACTOR ** (-event.deltaY * unit), ...placeOf(event));
  };
  element.addEventListener("pointerdown", down, { signal });
  element.addEventListener("pointermove", move, { signal });
  element.addEventListener("pointerup", up, { signal });
  element.addEventListener("pointercancel", up, { signal });
  element.addEventListener("pointerleave", () => moves.hover(null), { signal });
  element.addEventListener("wheel", wheel, { signal, passive: false });
  element.addEventListener("dblclick", (event) => moves.zoom(DOUBLE_FACTOR, ...placeOf(event)), { signal });
}

type Point = readonly [number, number];

/** Two fingers: the middle between them stays under them, and so does their distance. */
export function pinch(moves: Pick<Moves, "pan" | "zoom">, still: Point, before: Point, now: Point): void {
  const [x, y] = [(still[0] + now[0]) / 2, (still[1] + now[1]) / 2];
  moves.pan((now[0] - before[0]) / 2, (now[1] - before[1]) / 2);
  const distance = Math.hypot(before[0] - still[0], before[1] - still[1]);
  if (distance > 0) moves.zoom(Math.hypot(now[0] - still[0], now[1] - still[1]) / distance, x, y);
}
