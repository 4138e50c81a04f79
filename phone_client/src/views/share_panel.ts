/** The link that opens this acquisition on another device. */
import { texts } from "../texts";
import { button, element, say } from "./dom";

const CONFIRM_MS = 2000;

export function sharePanel(link: string): HTMLElement {
  const text = element("input", { id: "share-link", readonly: true, value: link, "aria-label": texts.share });
  text.addEventListener("focus", () => text.select());
  const panel = element(
    "details",
    { class: "share" },
    element("summary", {}, texts.share),
    element("p", {}, texts.shareAdvice),
    text,
  );
  // Browsers give the clipboard, as the camera, to secure pages alone; the text can be selected everywhere.
  if (window.isSecureContext) {
    const copy = button(texts.copy, {}, async () => {
      await navigator.clipboard.writeText(link);
      say(copy, texts.copied);
      await new Promise((resolve) => setTimeout(resolve, CONFIRM_MS));
      say(copy, texts.copy);
    });
    panel.append(copy);
  }
  return panel;
}
