/** One acquisition: its growing image, its figures, and the camera that may film for it. */
import type { Api } from "../api";
import { PageError, messageOf, unreachable } from "../errors";
import { type FeedEvent, follow } from "../feed";
import type { Acquisition } from "../generated/models";
import { STATES, texts } from "../texts";
import { cameraPanel } from "./camera_panel";
import { button, element, say } from "./dom";
import { figuresPanel } from "./figures_panel";
import { imagePanel } from "./image_panel";
import { sharePanel } from "./share_panel";
import { widefieldPanel } from "./widefield_panel";

export interface AcquisitionActions {
  /** Null where the list is not this person's to see. */
  back: (() => void) | null;
  /** A link for other devices; null where there is none to give away. */
  link: string | null;
}

/** Fills `root` until the signal is aborted. */
export function showAcquisition(
  root: HTMLElement,
  id: string,
  api: Api,
  actions: AcquisitionActions,
  signal: AbortSignal,
): void {
  const head = heading(actions);
  const notice = element("p", { class: "problem", role: "alert" });
  const image = imagePanel(signal);
  const widefield = widefieldPanel(id, api, signal);
  const figures = figuresPanel();
  const camera = cameraPanel(id, api, signal);
  const results = resultsPanel(id, api);
  const side = element("div", { class: "side" }, widefield.root, figures.root, results.root);
  if (actions.link !== null) side.append(sharePanel(actions.link));
  root.replaceChildren(head.root, element("main", { class: "acquisition" }, notice, image.root, camera.root, side));

  const show = (acquisition: Acquisition) => {
    for (const panel of [head, image, widefield, figures, camera, results]) panel.show(acquisition);
    say(notice, acquisition.error ?? "");
  };
  const complain = (error: unknown) => {
    if (!signal.aborted) say(notice, messageOf(error));
  };
  const parts = {
    open: (url: string, protocols: string[]) => new WebSocket(url, protocols),
    ask: (asking: AbortSignal) => api.acquisition(id, asking),
  };
  const on = (event: FeedEvent) => {
    if (event.type === "progress") show(event.acquisition);
    else if (event.type === "localizations") image.handle(event.message);
    else say(notice, noticeOf(event));
    // What came before the closing may be older than the end itself.
    if (event.type === "closed" && event.reason !== "deleted") api.acquisition(id, signal).then(show, complain);
  };
  follow(api.liveUrl(id), api.token, parts, on, signal).catch(complain);
}

function noticeOf(event: Exclude<FeedEvent, { type: "progress" | "localizations" }>): string {
  switch (event.type) {
    case "connected":
      return "";
    case "disconnected":
      return texts.liveLost;
    case "refused":
      return event.error.message;
    case "closed":
      return event.reason === "deleted" ? texts.deleted : "";
    default:
      return unreachable(event);
  }
}

function heading(actions: AcquisitionActions): { root: HTMLElement; show: (acquisition: Acquisition) => void } {
  const name = element("h1", {}, texts.appName);
  const state = element("span", { class: "state", role: "status" });
  const root = element("header", { class: "bar" });
  if (actions.back !== null) root.append(button("‹", { class: "back", "aria-label": texts.back }, actions.back));
  root.append(name, state);
  return {
    root,
    show: (acquisition) => {
      say(name, acquisition.settings.name);
      document.title = `${acquisition.settings.name} · ${texts.appName}`;
      say(state, STATES[acquisition.state]);
      state.dataset["state"] = acquisition.state;
    },
  };
}

/** The results of a finished acquisition, as one file. */
function resultsPanel(id: string, api: Api): { root: HTMLElement; show: (acquisition: Acquisition) => void } {
  let name = id;
  const problem = element("p", { class: "problem", role: "alert" });
  const download = button(texts.download, { class: "primary" }, async () => {
    say(download, texts.downloading);
    say(problem, "");
    try {
      saveAs(await api.archive(id), `${name.replace(/[^\p{L}\p{N}._-]+/gu, "_")}.zip`);
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      say(problem, error.message);
    } finally {
      say(download, texts.download);
    }
  });
  const root = element("section", { class: "results", hidden: true }, download, problem);
  return {
    root,
    show: (acquisition) => {
      name = acquisition.settings.name;
      root.hidden = acquisition.state !== "finished";
    },
  };
}

/** A link cannot carry the token, so the file is fetched and handed over. */
function saveAs(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
