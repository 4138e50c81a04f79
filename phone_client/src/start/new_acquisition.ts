/** An acquisition with settings of the person's own choice; the server checks them all the same. */
import { openDialog } from "../app/dialog";
import { element, field, say } from "../app/dom";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { PixelSizeInput } from "../app/pixel_size";
import { texts } from "../app/texts";
import type { Model, NewAcquisition } from "../generated/models";

export function askForAcquisition(page: Page): void {
  const { name, pixelSize, model } = inputs();
  const problem = notice();
  const submit = element("button", { type: "submit", class: "primary" }, texts.create);
  const form = element(
    "form",
    { class: "new-acquisition" },
    field(texts.name, name),
    field(texts.pixelSize, pixelSize.root, texts.pixelSizeAdvice),
    field(texts.model, model),
    problem.root,
    element("div", { class: "actions" }, submit),
  );
  const dialog = openDialog(texts.newAcquisition, form);
  name.select();
  page.api.models().then((models) => model.replaceChildren(...models.map(modelOption)), problem.show);
  const create = async () => {
    const pixelSizeNm = pixelSize.asked();
    if (pixelSizeNm === null) return;
    submit.disabled = true;
    say(submit, texts.creating);
    problem.show(null);
    try {
      const settings: NewAcquisition = { name: name.value.trim(), pixel_size_nm: pixelSizeNm };
      if (model.value !== "") settings.model = model.value;
      const { id } = await page.api.create(settings);
      page.session.created(id);
      dialog.close();
      page.go({ page: "film", id });
    } catch (error) {
      problem.show(error);
      submit.disabled = false;
      say(submit, texts.create);
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void create();
  });
}

interface Inputs {
  name: HTMLInputElement;
  pixelSize: PixelSizeInput;
  model: HTMLSelectElement;
}

/** With the limits that the server sets. */
function inputs(): Inputs {
  const name = { id: "name", required: true, maxlength: "200", value: texts.nameDefault, autocomplete: "off" };
  return {
    name: element("input", name),
    pixelSize: new PixelSizeInput("pixel-size"),
    model: element("select", { id: "model" }, element("option", { value: "" }, texts.modelDefault)),
  };
}

/** It is filmed with next, hence the one that keeps up with a camera. */
function modelOption({ spec, is_for_live }: Model): HTMLOptionElement {
  const name = is_for_live ? texts.modelForLive(spec.name) : spec.name;
  return element("option", { value: spec.name, selected: is_for_live }, name);
}
