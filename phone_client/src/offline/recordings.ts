/** What is kept on this device until it is uploaded, and the door for recordings that lie in files. */
import { sleep } from "../app/backoff";
import { element } from "../app/dom";
import { icon } from "../app/icons";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { type Place, fragmentOf } from "../app/places";
import { frame } from "../app/shell";
import { texts } from "../app/texts";
import { size } from "./amounts";
import { fileUploads } from "./file_uploads";
import "./offline.css";
import { recordingEntry } from "./recording_entry";
import { RecordingStore } from "./store";

const ASK_AGAIN_MS = 3000;

export function show(root: HTMLElement, page: Page, _place: Place, signal: AbortSignal): void {
  const main = frame(root, page, "recordings");
  const problem = notice();
  const list = element("ul", { class: "recordings" });
  const room = element("p", { class: "muted small" });
  const record = element("a", { class: "button primary", href: fragmentOf({ page: "record" }) }, icon("camera"));
  record.append(texts.kept.recordHere);
  main.classList.add("kept");
  main.append(
    element("h1", {}, texts.recordingsTitle),
    element("p", { class: "muted" }, texts.kept.advice),
    element("div", { class: "actions" }, record),
    problem.root,
    list,
    room,
  );
  if (page.session.may("film")) main.insertBefore(fileUploads(page), list);
  else void comeBackWhenKnown(page, signal);
  fill(list, page, signal).catch(problem.show);
  showRoom(room).catch(problem.show);
}

async function fill(list: HTMLElement, page: Page, signal: AbortSignal): Promise<void> {
  const store = await RecordingStore.open();
  signal.addEventListener("abort", () => store.close(), { once: true });
  const none = element("li", { class: "empty muted" }, texts.kept.none);
  const onGone = () => {
    if (list.childElementCount === 0) list.append(none);
  };
  list.append(...(await store.all()).map((one) => recordingEntry(one, store, page, onGone, signal)));
  onGone();
}

/** Opened while the server was away: what may be uploaded is known as soon as it answers. */
async function comeBackWhenKnown(page: Page, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { state } = await page.session.known();
    if (signal.aborted || state === "none") return;
    if (state === "open") {
      if (page.session.may("film")) page.go({ page: "recordings" }, "replace");
      return;
    }
    await sleep(ASK_AGAIN_MS, signal).catch(() => undefined); // aborted: the loop ends
  }
}

/** Browsers may delete what a page keeps, unless it has asked them not to. */
async function showRoom(room: HTMLElement): Promise<void> {
  const storage = navigator.storage as StorageManager | undefined;
  if (storage === undefined) return; // in WebKit beyond Safari
  const { usage = 0, quota = 0 } = await storage.estimate();
  const isSafe = await storage.persisted();
  room.replaceChildren(texts.kept.room(size(usage), size(quota)), isSafe ? "" : ` ${texts.kept.mayVanish}`);
}
