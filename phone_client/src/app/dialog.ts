/** Dialogs, on the browser's own <dialog>: it keeps the focus inside, and Escape closes it. */
import { button, element } from "./dom";
import { icon } from "./icons";
import { texts } from "./texts";

/** Shown until it is closed; the promise then resolves with what `close` was given, "" for Escape. */
export interface Dialog {
  readonly root: HTMLDialogElement;
  readonly closed: Promise<string>;
  close(answer?: string): void;
}

let count = 0;

export function openDialog(heading: string, ...content: Node[]): Dialog {
  const id = `dialog-${(count += 1)}`;
  const shut = button(icon("close"), { class: "quiet round", "aria-label": texts.close }, () => root.close(""));
  const head = element("div", { class: "dialog-head" }, element("h2", { id }, heading), shut);
  const body = element("div", { class: "dialog-body" }, head, ...content);
  const root = element("dialog", { "aria-labelledby": id }, body);
  const closed = new Promise<string>((resolve) => {
    root.addEventListener("close", () => {
      root.remove();
      resolve(root.returnValue);
    });
  });
  // A press beside it closes it, too.
  root.addEventListener("click", (event) => event.target === root && root.close(""));
  document.body.append(root);
  root.showModal();
  return { root, closed, close: (answer = "") => root.close(answer) };
}

/** Those that are open asked something of a place that is no longer on the screen. */
export function closeDialogs(): void {
  for (const open of document.querySelectorAll<HTMLDialogElement>("dialog[open]")) open.close("");
}

/** Whether the person means it. */
export async function confirmed(heading: string, question: string, label: string): Promise<boolean> {
  const yes = button(label, { class: "danger" }, () => dialog.close("yes"));
  const no = button(texts.cancel, { autofocus: true }, () => dialog.close());
  const actions = element("div", { class: "actions" }, no, yes);
  const dialog = openDialog(heading, element("p", {}, question), actions);
  return (await dialog.closed) === "yes";
}
