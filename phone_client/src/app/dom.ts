/** Building elements with as little ceremony as plain DOM allows. */

export type Attributes = Record<string, string | boolean>;

export function element<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "boolean") made.toggleAttribute(name, value);
    else made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

/** A button that cannot be pressed again while what it started goes on. */
export function button(
  label: string | Node,
  attributes: Attributes,
  onPress: () => Promise<void> | void,
): HTMLButtonElement {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", async () => {
    made.disabled = true;
    try {
      await onPress();
    } finally {
      made.disabled = false;
    }
  });
  return made;
}

/** A label with its control and, where it needs one, a line of advice. */
export function field(label: string, input: HTMLInputElement | HTMLSelectElement, advice?: string): HTMLElement {
  const made = element("div", { class: "field" }, element("label", { for: input.id }, label), input);
  if (advice !== undefined) {
    const id = `${input.id}-advice`;
    input.setAttribute("aria-describedby", id);
    made.append(element("p", { class: "advice", id }, advice));
  }
  return made;
}

/** Replaces the text only where it differs, so that screen readers hear changes alone. */
export function say(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}
