/** The place where one films into this device: no network, no server, and nobody need have joined. */
import { element } from "../app/dom";
import type { Page } from "../app/page";
import type { Place } from "../app/places";
import { bar, themeSwitch } from "../app/shell";
import { texts } from "../app/texts";
import "./capture.css";
import { Workbench } from "./workbench";

export function show(root: HTMLElement, _page: Page, _place: Place, signal: AbortSignal): void {
  const fix = (isRecording: boolean) => bench.fix(isRecording);
  const bench = new Workbench(null, { desk: () => undefined, recording: fix }, signal);
  const { camera, desk, finder, form, gauges, locks, record, trouble } = bench;
  const folds = element("div", { class: "folds" }, locks.root, camera.root, form.root);
  const advice = element("p", { class: "muted small" }, texts.kept.advice);
  const side = element("div", { class: "capture-side" }, gauges.root, folds, advice);
  const view = element("div", { class: "view" }, finder.root);
  const stage = element("section", { class: "stage-of-views" }, element("div", { class: "views" }, view));
  const foot = element("div", { class: "film-bar" }, record.root);
  const main = element("main", { class: "capture", "data-capture": "idle" }, stage);
  main.append(element("div", { class: "notices" }, trouble.root), side, foot);
  const title = element("h1", {}, texts.kept.record);
  root.replaceChildren(bar({ page: "recordings" }, title, themeSwitch()), main);
  void desk.open();
}
