/** The dialog for a kept recording once more, with other settings; the server checks them all the same. */
import { openDialog } from "../app/dialog";
import { element, field, say } from "../app/dom";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { texts } from "../app/texts";
import type { Acquisition, Model } from "../generated/models";
import { THRESHOLD_LIMITS } from "../generated/tables";
import type { View } from "../viewer/view";
import { type Form, areFramesTurned, changesOf, formOf, regionSeen, wholeFrame } from "./changes";

const words = texts.reprocess;

/** `seen` is what the viewer shows of it. */
export function askToReprocess(page: Page, acquisition: Acquisition, seen: View | null): void {
  const inputs = inputsFor(formOf(acquisition, words.name(acquisition.settings.name)));
  const problem = notice();
  const submit = element("button", { type: "submit", class: "primary" }, words.begin);
  const form = element(
    "form",
    { class: "dialog-form" },
    element("p", { class: "muted" }, words.advice),
    field(texts.name, inputs.name),
    generatorFields(inputs),
    regionFields(inputs.roi, acquisition, seen),
    framesFields(inputs, acquisition),
    problem.root,
    element("div", { class: "actions" }, submit),
  );
  const dialog = openDialog(words.heading, form);
  page.api.models().then((models) => offer(models, inputs, acquisition), problem.show);
  const begin = async () => {
    const wanted = formIn(inputs);
    if (areFramesTurned(wanted)) return problem.show(words.frameOrder);
    submit.disabled = true;
    say(submit, words.beginning);
    problem.show(null);
    try {
      const { id } = await page.api.reprocess(acquisition.id, changesOf(wanted, acquisition));
      page.session.created(id);
      dialog.close();
      page.go({ page: "view", id });
    } catch (error) {
      problem.show(error);
      submit.disabled = false;
      say(submit, words.begin);
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void begin();
  });
}

interface Inputs {
  readonly name: HTMLInputElement;
  readonly model: HTMLSelectElement;
  readonly threshold: HTMLInputElement;
  readonly roi: HTMLInputElement;
  readonly firstFrame: HTMLInputElement;
  readonly lastFrame: HTMLInputElement;
}

/** With the limits that the server sets. */
function inputsFor(form: Form): Inputs {
  const { least, most } = THRESHOLD_LIMITS;
  const share = { type: "number", inputmode: "decimal", min: `${least}`, max: `${most}`, step: "any" };
  const frame = { type: "number", inputmode: "numeric", min: "0", step: "1" };
  const region = { pattern: "\\s*\\d+\\s*(,\\s*\\d+\\s*){3}", title: words.regionText, autocomplete: "off" };
  const inputs: Inputs = {
    name: element("input", { id: "again-name", required: true, maxlength: "200", autocomplete: "off" }),
    model: element("select", { id: "again-model" }, element("option", { value: form.model }, form.model)),
    threshold: element("input", { id: "again-threshold", ...share }),
    roi: element("input", { id: "again-roi", ...region }),
    firstFrame: element("input", { id: "again-first", ...frame }),
    lastFrame: element("input", { id: "again-last", ...frame }),
  };
  for (const name of Object.keys(inputs) as (keyof Inputs)[]) inputs[name].value = form[name];
  return inputs;
}

function formIn(inputs: Inputs): Form {
  const { name, model, threshold, roi, firstFrame, lastFrame } = inputs;
  return {
    name: name.value.trim(),
    model: model.value,
    threshold: threshold.value,
    roi: roi.value,
    firstFrame: firstFrame.value,
    lastFrame: lastFrame.value,
  };
}

/** The zoo's generators; each has a threshold of its own, so that another one begins with that. */
function offer(models: readonly Model[], { model, threshold }: Inputs, { settings, generator }: Acquisition): void {
  const chosen = model.value;
  const options = models.map(({ spec }) => {
    const isNewer = spec.name === settings.model && generator !== null && generator.version !== spec.version;
    const was = isNewer ? words.wasVersion(generator.version) : "";
    return element("option", { value: spec.name }, `${spec.name} ${spec.version}${was}`);
  });
  model.replaceChildren(...options);
  model.value = chosen;
  const tell = () => {
    const spec = models.find((each) => each.spec.name === model.value)?.spec;
    threshold.placeholder = spec === undefined ? "" : words.ownThreshold(spec.threshold);
  };
  model.addEventListener("change", () => {
    threshold.value = model.value === settings.model && settings.threshold !== null ? String(settings.threshold) : "";
    tell();
  });
  tell();
}

function generatorFields({ model, threshold }: Inputs): HTMLElement {
  const both = [field(texts.model, model), field(words.threshold, threshold)];
  return advised(
    element("div", { class: "two-fields" }, ...both),
    words.thresholdAdvice(THRESHOLD_LIMITS.least, THRESHOLD_LIMITS.most),
  );
}

/** Regions that one may want, by name; or any other, typed. */
function regionFields(roi: HTMLInputElement, acquisition: Acquisition, seen: View | null): HTMLElement {
  const known = { same: roi.value, view: seen && regionSeen(seen, acquisition), whole: wholeFrame(acquisition) };
  const options = Object.entries(words.regions).filter(([name]) => {
    if (name === "view") return known.view !== null;
    return name !== "whole" || (known.whole !== null && known.whole !== known.same);
  });
  const choice = element("select", { id: "again-region" });
  choice.append(...options.map(([value, label]) => element("option", { value }, label)));
  choice.addEventListener("change", () => {
    if (choice.value === "other") roi.select();
    else roi.value = known[choice.value as keyof typeof known] ?? "";
  });
  roi.addEventListener("input", () => {
    const typed = roi.value.replace(/\s+/g, "");
    choice.value = options.find(([name]) => known[name as keyof typeof known] === typed)?.[0] ?? "other";
  });
  const { frame_width: width, frame_height: height } = acquisition;
  const root = element("div", { class: "two-fields" }, field(words.region, choice), field(words.regionText, roi));
  if (width === null || height === null) return root;
  return advised(root, words.regionAdvice(width, height));
}

function framesFields({ firstFrame, lastFrame }: Inputs, { frames_received, frames_lost }: Acquisition): HTMLElement {
  const last = Math.max(0, frames_received + frames_lost - 1);
  firstFrame.max = lastFrame.max = String(last);
  firstFrame.placeholder = "0";
  lastFrame.placeholder = String(last);
  const both = [field(words.firstFrame, firstFrame), field(words.lastFrame, lastFrame)];
  return advised(element("div", { class: "two-fields" }, ...both), words.framesAdvice);
}

function advised(fields: HTMLElement, advice: string): HTMLElement {
  return element("div", {}, fields, element("p", { class: "muted small" }, advice));
}
