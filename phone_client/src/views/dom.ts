/** Building elements with as little ceremony as plain DOM allows. */

type Attributes = Record<string, string | boolean>;

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
export function button(label: string, attributes: Attributes, onPress: () => Promise<void> | void): HTMLButtonElement {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", () => {
    made.disabled = true;
    void Promise.resolve(onPress()).finally(() => {
      made.disabled = false;
    });
  });
  return made;
}

/** Replaces the text only where it differs, so that screen readers hear changes alone. */
export function say(target: HTMLElement, text: string): void {
  if (target.textContent !== text) target.textContent = text;
}
