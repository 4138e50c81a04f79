/** The numbers beside the images: figures, what both have in common, and their settings; asked for again while one grows. */
import type { Api } from "../app/api";
import { element, field, say } from "../app/dom";
import { PageError } from "../app/errors";
import { notice } from "../app/notice";
import { texts } from "../app/texts";
import type { Acquisition, CommonComparison } from "../generated/models";
import { isOver, unknownFor } from "../viewer/figures";
import { type Fact, type Row, type Setting, factsOf, isSameRecording, partOf, rowsOf, settingsOf } from "./numbers";

/** The server matches all localizations each time. */
const EVERY_MS = 5000;
/** With the limits that the server sets. */
const TOLERANCE_NM = { start: 200, min: 1, max: 1000 } as const;

const { compare } = texts;

export interface NumbersPanel {
  readonly root: HTMLElement;
  show(first: Acquisition, second: Acquisition): void;
}

export function numbersPanel(api: Api, signal: AbortSignal): NumbersPanel {
  const asked = askedAgain(api, signal, () => draw());
  const tolerance = toleranceInput((nm) => asked.want({ toleranceNm: nm }));
  const status = element("p", { class: "muted small", role: "status" });
  const problem = notice();
  const warning = element("p", { class: "small other-recording", hidden: true }, compare.otherRecording);
  const part = element("p", { class: "small compared-part", hidden: true });
  const figures = element("tbody");
  const figuresTable = table([{ seen: compare.measure }, ...SIDES, RATIO], figures);
  figuresTable.classList.add("figures-of-both");
  const facts = element("dl", { class: "facts" });
  const settings = element("tbody");
  const root = element(
    "section",
    { class: "numbers", "aria-label": compare.numbers },
    block(compare.numbers, problem.root, status, warning, part, figuresTable),
    block(compare.both, facts, field(compare.tolerance, tolerance, compare.toleranceAdvice)),
    block(compare.settings, table([{ seen: compare.setting }, ...SIDES], settings)),
  );
  let pair: readonly [Acquisition, Acquisition] | null = null;
  const draw = () => {
    if (pair === null) return;
    const { comparison, error } = asked.answer;
    const unknown = unknownFor(...pair);
    problem.show(error);
    warning.hidden = isSameRecording(...pair);
    settings.replaceChildren(...settingsOf(...pair, unknown).map(settingRow));
    say(status, statusOf(comparison, pair, error));
    if (comparison === null) return;
    const compared = partOf(comparison);
    part.hidden = compared === null;
    say(part, compared ?? "");
    figures.replaceChildren(...rowsOf(comparison, unknown).map(figureRow));
    facts.replaceChildren(...factsOf(comparison, unknown).map(factRow));
  };
  return {
    root,
    show: (first, second) => {
      pair = [first, second];
      draw();
      asked.want({ pair });
    },
  };
}

/** The head of a column: what is seen, and where that is a sign alone, what is heard. */
interface Head {
  readonly seen: string;
  readonly heard?: string;
  /** In that one's colour. */
  readonly which?: "1" | "2";
}

const SIDES: readonly Head[] = [
  { seen: "1", heard: compare.first, which: "1" },
  { seen: "2", heard: compare.second, which: "2" },
];
const RATIO: Head = { seen: "2 : 1", heard: compare.ratio };

interface Answer {
  readonly comparison: CommonComparison | null;
  readonly error: unknown;
}

interface Wanted {
  readonly pair: readonly [Acquisition, Acquisition] | null;
  readonly toleranceNm: number;
}

/** The newest answer to what is wanted; one question at a time. */
function askedAgain(api: Api, signal: AbortSignal, onAnswer: () => void) {
  let answer: Answer = { comparison: null, error: null };
  let wanted: Wanted = { pair: null, toleranceNm: TOLERANCE_NM.start };
  let answered = ""; // what it was an answer to
  let isBusy = false;
  const ask = async () => {
    const { pair, toleranceNm } = wanted;
    if (pair === null || isBusy || document.hidden || keyOf(wanted) === answered) return;
    isBusy = true;
    const key = keyOf(wanted);
    try {
      const [first, second] = pair;
      answer = { comparison: await api.comparison(first.id, second.id, toleranceNm, signal), error: null };
      answered = key;
    } catch (error) {
      if (signal.aborted) return;
      answer = { comparison: answer.comparison, error };
      if (!(error instanceof PageError && error.isPassing)) answered = key;
    } finally {
      isBusy = false;
    }
    onAnswer();
    if (wanted.toleranceNm !== toleranceNm) void ask();
  };
  const timer = setInterval(() => void ask(), EVERY_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  return {
    get answer() {
      return answer;
    },
    want: (changes: Partial<Wanted>) => {
      wanted = { ...wanted, ...changes };
      // While one grows the timer is soon enough.
      if (answered === "" || "toleranceNm" in changes || wanted.pair?.every(isOver) === true) void ask();
    },
  };
}

/** Empty while there is nothing to compare. */
function keyOf({ pair, toleranceNm }: Wanted): string {
  if (pair === null || pair.some(({ roi }) => roi === null)) return "";
  return JSON.stringify([toleranceNm, ...pair.map(({ state, localizations }) => [state, localizations])]);
}

function statusOf(comparison: CommonComparison | null, pair: readonly Acquisition[], error: unknown): string {
  if (error !== null) return "";
  if (pair.some((each) => isOver(each) && each.roi === null)) return compare.noNumbers;
  if (!pair.every(isOver)) return compare.stillComes;
  if (comparison === null) return compare.counting;
  return comparison.identical ? compare.identical : "";
}

function toleranceInput(on: (nm: number) => void): HTMLInputElement {
  const { start, min, max } = TOLERANCE_NM;
  const limits = { min: `${min}`, max: `${max}`, step: "any", required: true };
  const input = element("input", { id: "tolerance", type: "number", inputmode: "decimal", ...limits });
  input.value = String(start);
  input.addEventListener("change", () => {
    if (input.reportValidity()) on(input.valueAsNumber);
  });
  return input;
}

function block(heading: string, ...content: Node[]): HTMLElement {
  return element("section", { class: "numbers-block" }, element("h2", {}, heading), ...content);
}

function table(heads: readonly Head[], body: HTMLElement): HTMLElement {
  const cells = heads.map(({ seen, heard, which }) => {
    if (heard === undefined) return element("th", { scope: "col" }, seen);
    const chip = which === undefined ? {} : { class: "which", "data-which": which };
    const sign = element("span", { ...chip, "aria-hidden": "true" }, seen);
    return element("th", { scope: "col" }, sign, element("span", { class: "hidden-text" }, heard));
  });
  return element("table", { class: "pair-table" }, element("thead", {}, element("tr", {}, ...cells)), body);
}

function figureRow({ label, first, second, ratio }: Row): HTMLElement {
  const values = [first, second, ratio].map((value) => element("td", {}, value));
  return element("tr", {}, element("th", { scope: "row" }, label), ...values);
}

function settingRow({ label, first, second, differs }: Setting): HTMLElement {
  const head = element("th", { scope: "row" }, label);
  if (differs) head.append(" ", element("span", { class: "differs" }, compare.differs));
  const row = element("tr", {}, head, element("td", {}, first), element("td", {}, second));
  row.classList.toggle("same", !differs);
  return row;
}

function factRow({ label, meaning, value }: Fact): HTMLElement {
  const name = element("dt", {}, label, element("span", { class: "meaning" }, meaning));
  return element("div", { class: "fact" }, name, element("dd", {}, value));
}
