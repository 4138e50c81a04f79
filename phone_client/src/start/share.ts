/** A link and its square pattern with which spectators open one acquisition, or another phone joins. */
import type { CodeRequest } from "../generated/models";
import { button, element, say } from "../app/dom";
import { openDialog } from "../app/dialog";
import { icon } from "../app/icons";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { texts } from "../app/texts";
import { codePicture } from "./code_picture";
import "./share.css";

const CONFIRM_MS = 2000;
const DAY_S = 86_400;
const SPECTATORS = 1000;

/** For spectators of one acquisition. */
export function shareAcquisition(page: Page, id: string): void {
  const wanted: CodeRequest = { right: "watch", acquisition_id: id, uses: SPECTATORS, valid_s: DAY_S };
  showCode(page, texts.shareHeading, texts.shareAdvice, wanted);
}

/** For spectators of the wall, who see all. */
export function shareWall(page: Page): void {
  const wanted: CodeRequest = { right: "watch", acquisition_id: null, uses: SPECTATORS, valid_s: DAY_S };
  showCode(page, texts.shareHeading, texts.shareAdvice, wanted);
}

/** For one more phone of the class. */
export function inviteOne(page: Page): void {
  const wanted: CodeRequest = { right: "film", acquisition_id: null, uses: 1, valid_s: 600 };
  showCode(page, texts.inviteOther, texts.inviteAdvice, wanted);
}

function showCode(page: Page, heading: string, advice: string, wanted: CodeRequest): void {
  const picture = element("div", { class: "invite-picture" });
  const status = element("p", { role: "status" }, texts.inviteMaking);
  const problem = notice();
  const content = element("div", { class: "shared" }, status, problem.root, picture);
  openDialog(heading, element("p", { class: "muted" }, advice), content);
  page.api.createCode(wanted).then(
    (code) => {
      picture.append(codePicture(code));
      status.remove();
      content.append(copyable(code.join_url));
    },
    (error: unknown) => {
      status.remove();
      problem.show(error);
    },
  );
}

/** Browsers give the clipboard to secure pages alone; the text can be selected everywhere. */
function copyable(link: string): HTMLElement {
  const text = element("input", { readonly: true, value: link, "aria-label": texts.shareLink });
  text.addEventListener("focus", () => text.select());
  const row = element("div", { class: "copyable" }, text);
  if (window.isSecureContext) {
    const words = element("span", {}, texts.copy);
    const copy = button(icon("copy"), {}, async () => {
      await navigator.clipboard.writeText(link);
      say(words, texts.copied);
      await new Promise((resolve) => setTimeout(resolve, CONFIRM_MS));
      say(words, texts.copy);
    });
    copy.append(words);
    row.append(copy);
  }
  return row;
}
