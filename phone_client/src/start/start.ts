/** The start page: how others join, how one begins, and what there is already. What is shown follows what one may do. */
import { button, element } from "../app/dom";
import { type IconName, icon } from "../app/icons";
import type { Page } from "../app/page";
import { type Place, fragmentOf } from "../app/places";
import { frame } from "../app/shell";
import { texts } from "../app/texts";
import { welcome } from "../guide/welcome";
import { acquisitionList } from "./acquisition_list";
import { batchList } from "./batches";
import { invitation } from "./invite";
import { askForAcquisition } from "./new_acquisition";
import { inviteOne } from "./share";
import "./start.css";

export function show(root: HTMLElement, page: Page, _place: Place, signal: AbortSignal): void {
  const main = frame(root, page, "start");
  const { session } = page;
  const title = element("div", { class: "title" }, element("h1", {}, texts.startHeading));
  title.append(element("p", { class: "muted" }, texts.tagline));
  main.classList.add("start");
  main.append(title);
  const hint = welcome(localStorage);
  if (hint !== null) main.append(hint);
  if (session.may("film")) main.append(beginnings(page));
  if (session.may("manage")) main.append(invitation(page, signal));
  if (session.may("film")) main.append(batchList(page, signal));
  main.append(acquisitionList(page, signal));
}

/** What one can begin; large enough for a thumb. */
function beginnings(page: Page): HTMLElement {
  const list = element(
    "ul",
    { class: "beginnings" },
    way("camera", texts.filmHere, texts.filmHereDetail, { page: "film", id: null }, "main"),
    action("plus", texts.newAcquisition, texts.newAcquisitionDetail, () => askForAcquisition(page)),
    way("upload", texts.upload, texts.uploadDetail, { page: "recordings" }),
    way("star", texts.sample, texts.sampleDetail, { page: "sample" }),
    way("device", texts.localTitle, texts.localDetail, { page: "local", recording: null }),
  );
  if (!page.session.may("manage")) {
    list.append(action("invite", texts.inviteOther, texts.inviteOtherDetail, () => inviteOne(page)));
  }
  return list;
}

function way(name: IconName, label: string, detail: string, place: Place, kind = ""): HTMLElement {
  const link = element(
    "a",
    { class: `beginning ${kind}`.trim(), href: fragmentOf(place) },
    ...face(name, label, detail),
  );
  return element("li", {}, link);
}

function action(name: IconName, label: string, detail: string, begin: () => void): HTMLElement {
  const made = button("", { class: "beginning" }, begin);
  made.replaceChildren(...face(name, label, detail));
  return element("li", {}, made);
}

function face(name: IconName, label: string, detail: string): Node[] {
  return [icon(name), element("strong", {}, label), element("span", { class: "muted small" }, detail)];
}
