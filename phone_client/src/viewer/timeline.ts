/** The image as of any frame: a slider over all frames, and a button that lets it grow again. */
import { element, say } from "../app/dom";
import { icon } from "../app/icons";
import { texts } from "../app/texts";
import { count } from "./figures";

const PLAY_MS = 12_000; // from the first frame to the newest
const STEP_MS = 100;

export interface Timeline {
  readonly root: HTMLElement;
  /** There are so many frames by now. */
  setFrames(endFrame: number): void;
  toggle(): void;
}

/** `on` hears the frame from which on nothing is to be shown; Infinity for all that comes. */
export function timeline(on: (endFrame: number) => void, signal: AbortSignal): Timeline {
  const { viewer } = texts;
  let frames = 1;
  let follows = true; // the newest frame
  let playing: ReturnType<typeof setInterval> | null = null;
  const slider = element("input", { type: "range", id: "time", min: "1", max: "1", value: "1", step: "1" });
  slider.setAttribute("aria-label", viewer.time);
  const shown = element("output", { for: "time" }, viewer.newest);
  const press = element("button", { type: "button", class: "round quiet play" });
  const show = () => {
    press.replaceChildren(icon(playing === null ? "play" : "pause"));
    press.setAttribute("aria-label", playing === null ? viewer.play : viewer.pause);
    say(shown, follows ? viewer.newest : viewer.asOf(count(slider.valueAsNumber)));
    slider.setAttribute("aria-valuetext", shown.textContent ?? "");
  };
  const go = (frame: number) => {
    slider.value = String(frame);
    follows = frame >= frames;
    if (follows) stop();
    show();
    on(follows ? Infinity : frame);
  };
  const stop = () => {
    if (playing !== null) clearInterval(playing);
    playing = null;
  };
  const toggle = () => {
    if (playing === null) {
      const start = slider.valueAsNumber >= frames ? 1 : slider.valueAsNumber;
      playing = setInterval(
        () => go(slider.valueAsNumber + Math.max(1, Math.round((frames * STEP_MS) / PLAY_MS))),
        STEP_MS,
      );
      go(start);
    } else {
      stop();
      show();
    }
  };
  slider.addEventListener("input", () => {
    stop();
    go(slider.valueAsNumber);
  });
  press.addEventListener("click", toggle);
  signal.addEventListener("abort", stop, { once: true });
  show();
  return {
    root: element("div", { class: "timeline" }, press, slider, shown),
    setFrames: (endFrame) => {
      frames = Math.max(1, endFrame);
      slider.max = String(frames);
      if (follows) slider.value = String(frames);
    },
    toggle,
  };
}
