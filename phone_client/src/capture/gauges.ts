/** Light, focus and blinking at a glance: the magnified inset, a histogram, and for each one word and what to do. */
import { element, say } from "../app/dom";
import { texts } from "../app/texts";
import { type Advice, Sharpest, adviceOf } from "./advice";
import type { Luma, Measurement } from "./measure";

const words = texts.capture;
const HISTOGRAM = { width: 128, height: 40 };

export interface Gauges {
  readonly root: HTMLElement;
  inset(luma: Luma): void;
  measured(measurement: Measurement): void;
}

interface Gauge {
  readonly root: HTMLElement;
  show(word: string, figure: string, advice: string, isGood: boolean): void;
}

export function gauges(): Gauges {
  const magnified = element("canvas", { class: "inset", role: "img", "aria-label": words.inset });
  const levels = element("canvas", { class: "histogram", role: "img", "aria-label": words.histogram });
  const [light, focus, blinking] = [
    gauge("light", words.light),
    gauge("focus", words.focus),
    gauge("blinking", words.blinking),
  ];
  const list = element("div", { class: "gauge-list" }, focus.root, light.root, blinking.root);
  const pictures = element("div", { class: "gauge-pictures" }, magnified, levels);
  const root = element(
    "section",
    { class: "gauges", "aria-label": `${words.focus}, ${words.light}, ${words.blinking}` },
    pictures,
    list,
  );
  const sharpest = new Sharpest();

  return {
    root,
    inset: (luma) => drawInset(magnified, luma),
    measured: (measurement) => {
      const calmPx = sharpest.add(measurement.spotSigmaPx, performance.now());
      const advice: Advice = adviceOf({ ...measurement, spotSigmaPx: calmPx }, sharpest.sigmaPx);
      drawHistogram(levels, measurement.histogram);
      const clipped = words.clipped(measurement.black, measurement.white);
      light.show(words.lightWord[advice.light], clipped, words.lightAdvice[advice.light], advice.light === "good");
      const width = calmPx === null ? "" : words.spotWidth(calmPx);
      focus.show(words.focusWord[advice.focus], width, words.focusAdvice[advice.focus], advice.focus === "sharp");
      const spots = words.spots(measurement.spots);
      blinking.show(
        words.blinkingWord[advice.blinking],
        spots,
        words.blinkingAdvice[advice.blinking],
        advice.blinking === "good",
      );
    },
  };
}

function gauge(name: string, label: string): Gauge {
  const word = element("strong", {});
  const figure = element("span", { class: "gauge-figure" });
  const advice = element("p", { class: "gauge-advice" });
  const head = element("p", { class: "gauge-head" }, element("span", { class: "gauge-name" }, label), word, figure);
  const root = element("div", { class: "gauge", "data-gauge": name }, head, advice);
  return {
    root,
    show: (newWord, newFigure, newAdvice, isGood) => {
      say(word, newWord);
      say(figure, newFigure);
      say(advice, newAdvice);
      root.dataset["level"] = isGood ? "good" : "mind";
    },
  };
}

function drawInset(canvas: HTMLCanvasElement, { data, width, height }: Luma): void {
  const context = canvas.getContext("2d", { alpha: false });
  if (context === null) return;
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const picture = context.createImageData(width, height);
  // Stretched to what is there, so that faint spots show; clipping is the histogram's business.
  const low = data.reduce((least, level) => Math.min(least, level), 255);
  const high = data.reduce((most, level) => Math.max(most, level), 0);
  const scale = 255 / Math.max(24, high - low);
  data.forEach((level, at) => picture.data.set(grey((level - low) * scale), 4 * at));
  context.putImageData(picture, 0, 0);
}

function grey(level: number): [number, number, number, number] {
  return [level, level, level, 255];
}

/** Counts as their logarithm: a few clipped pixels among many dark ones must be seen. */
function drawHistogram(canvas: HTMLCanvasElement, histogram: readonly number[]): void {
  const context = canvas.getContext("2d");
  if (context === null) return;
  const { width, height } = HISTOGRAM;
  if (canvas.width !== width) [canvas.width, canvas.height] = [width, height];
  const bins = Array.from({ length: width }, (_, at) => Math.log1p(histogram[2 * at]! + histogram[2 * at + 1]!));
  const most = Math.max(1, ...bins);
  context.clearRect(0, 0, width, height);
  context.fillStyle = getComputedStyle(canvas).color;
  bins.forEach((bin, at) => context.fillRect(at, height - (height * bin) / most, 1, (height * bin) / most));
}
