/** The start page: begin an acquisition, or open one that is there. For the admin's token. */
import type { Api } from "../api";
import { messageOf, PageError } from "../errors";
import { count } from "../figures";
import type { Acquisition, CreatedAcquisition, Model, NewAcquisition } from "../generated/models";
import { STATES, texts } from "../texts";
import { element, say } from "./dom";

const REFRESH_MS = 3000;

export interface StartActions {
  created: (acquisition: CreatedAcquisition) => void;
  opened: (id: string) => void;
}

/** Fills `root` until the signal is aborted. */
export function showStart(root: HTMLElement, api: Api, actions: StartActions, signal: AbortSignal): void {
  const list = element("ul", { class: "acquisitions" });
  const problem = element("p", { class: "problem", role: "alert" });
  root.replaceChildren(
    element("header", { class: "brand" }, element("h1", {}, texts.appName), element("p", {}, texts.tagline)),
    element("main", { class: "start" }, newAcquisition(api, actions), acquisitions(list, problem)),
  );
  void keepListed(list, problem, api, actions, signal);
}

function acquisitions(list: HTMLElement, problem: HTMLElement): HTMLElement {
  const heading = element("h2", { id: "list-heading" }, texts.acquisitions);
  return element("section", { class: "card", "aria-labelledby": "list-heading" }, heading, problem, list);
}

function newAcquisition(api: Api, actions: StartActions): HTMLElement {
  const { name, pixelSize, model } = settingInputs();
  const submit = element("button", { type: "submit", class: "primary" }, texts.create);
  const problem = element("p", { class: "problem", role: "alert" });
  const form = element(
    "form",
    { class: "card", "aria-labelledby": "new-heading" },
    element("h2", { id: "new-heading" }, texts.newAcquisition),
    field(texts.name, name),
    element("div", { class: "pair" }, field(texts.pixelSize, pixelSize), field(texts.model, model)),
    problem,
    submit,
  );
  api.models().then(
    (models) => model.replaceChildren(...models.map(modelOption)),
    (error: unknown) => say(problem, messageOf(error)),
  );
  const create = async () => {
    submit.disabled = true;
    say(submit, texts.creating);
    say(problem, "");
    try {
      const settings: NewAcquisition = { name: name.value.trim(), pixel_size_nm: pixelSize.valueAsNumber };
      if (model.value !== "") settings.model = model.value;
      actions.created(await api.create(settings));
    } catch (error) {
      say(problem, messageOf(error));
    } finally {
      submit.disabled = false;
      say(submit, texts.create);
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void create();
  });
  return form;
}

interface SettingInputs {
  name: HTMLInputElement;
  pixelSize: HTMLInputElement;
  model: HTMLSelectElement;
}

/** With the limits that the server sets; it checks them all the same. */
function settingInputs(): SettingInputs {
  const name = { id: "name", required: true, maxlength: "200", value: texts.nameDefault, autocomplete: "off" };
  const number = { type: "number", inputmode: "decimal", step: "any", required: true };
  return {
    name: element("input", name),
    pixelSize: element("input", { id: "pixel-size", ...number, min: "1", max: "10000", value: "100" }),
    model: element("select", { id: "model" }, element("option", { value: "" }, texts.modelDefault)),
  };
}

function modelOption({ spec, is_default }: Model): HTMLOptionElement {
  return element("option", { value: spec.name, selected: is_default }, spec.name);
}

function field(label: string, input: HTMLInputElement | HTMLSelectElement): HTMLElement {
  return element("div", { class: "field" }, element("label", { for: input.id }, label), input);
}

async function keepListed(
  list: HTMLElement,
  problem: HTMLElement,
  api: Api,
  actions: StartActions,
  signal: AbortSignal,
): Promise<void> {
  const refresh = async () => {
    if (document.hidden) return;
    try {
      showList(list, await api.list(signal), actions);
      say(problem, "");
    } catch (error) {
      if (signal.aborted) return;
      say(problem, messageOf(error));
      if (error instanceof PageError && error.reason === "not_allowed") clearInterval(timer);
    }
  };
  const timer = setInterval(() => void refresh(), REFRESH_MS);
  signal.addEventListener("abort", () => clearInterval(timer), { once: true });
  await refresh();
}

/** Left alone where nothing changed, so that a focused entry keeps its focus. */
function showList(list: HTMLElement, acquisitions: Acquisition[], actions: StartActions): void {
  const state = JSON.stringify(acquisitions.map((each) => [each.id, each.state, each.localizations]));
  if (list.dataset["state"] === state) return;
  list.dataset["state"] = state;
  const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["id"] : undefined;
  const entries = acquisitions.map((acquisition) => entry(acquisition, actions));
  list.replaceChildren(...(entries.length > 0 ? entries : [element("li", { class: "empty" }, texts.noAcquisitions)]));
  if (focused !== undefined) list.querySelector<HTMLElement>(`[data-id="${CSS.escape(focused)}"]`)?.focus();
}

function entry(acquisition: Acquisition, actions: StartActions): HTMLElement {
  const open = element(
    "button",
    { type: "button", class: "entry", "data-id": acquisition.id },
    element("span", { class: "entry-name" }, acquisition.settings.name),
    element("span", { class: "state", "data-state": acquisition.state }, STATES[acquisition.state]),
    element("span", { class: "entry-detail" }, detailOf(acquisition)),
  );
  open.addEventListener("click", () => actions.opened(acquisition.id));
  return element("li", {}, open);
}

function detailOf(acquisition: Acquisition): string {
  const when = new Date(acquisition.created_at).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
  return `${when} · ${count(acquisition.localizations)} localizations`;
}
