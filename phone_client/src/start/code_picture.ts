/** A code's square pattern. As an image: what the server drew never becomes part of this document. */
import type { JoinCode } from "../generated/models";
import { element } from "../app/dom";
import { texts } from "../app/texts";

export function codePicture(code: JoinCode): HTMLImageElement {
  const source = `data:image/svg+xml,${encodeURIComponent(code.qr_svg)}`;
  return element("img", { class: "code-picture", src: source, alt: texts.inviteQr });
}
