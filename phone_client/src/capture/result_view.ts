/** What comes of the film, on the phone itself: the growing image beside widefield, to be saved and shared. */
import type { Api } from "../app/api";
import { button, element } from "../app/dom";
import { PageError, messageOf } from "../app/errors";
import { fileName, saveAs } from "../app/files";
import { icon } from "../app/icons";
import { fragmentOf } from "../app/places";
import { texts } from "../app/texts";
import { toast } from "../app/toast";
import type { Acquisition } from "../generated/models";
import { follow, partsOf } from "../live/feed";
import { hangUp, impatient } from "./link";
import { imagePanel } from "../viewer/image_panel";
import { widefieldPanel } from "../viewer/widefield_panel";

const words = texts.capture;

export interface ResultView {
  readonly image: HTMLElement;
  readonly widefield: HTMLElement;
  readonly actions: HTMLElement;
  /** After a lost link: what comes over the old connection may take another minute. */
  connectAnew(): void;
}

/** Follows the acquisition until it is over, or the signal is aborted. */
export function resultView(
  id: string,
  api: Api,
  on: { acquisition: (acquisition: Acquisition) => void; problem: (problem: string) => void },
  signal: AbortSignal,
): ResultView {
  const image = imagePanel(signal);
  const widefield = widefieldPanel(id, api, signal);
  const actions = actionBar(id, api, signal);
  const show = (acquisition: Acquisition) => {
    image.show(acquisition);
    widefield.show(acquisition);
    actions.show(acquisition);
    on.acquisition(acquisition);
  };
  let socket: WebSocket | null = null;
  const parts = { ...partsOf(api, id), open: (url: string) => (socket = impatient(new WebSocket(url))) };
  const complain = (error: unknown) => {
    if (!signal.aborted) on.problem(messageOf(error));
  };
  follow(
    api.liveUrl(id),
    parts,
    (event) => {
      if (event.type === "progress") show(event.acquisition);
      else if (event.type === "localizations") image.handle(event.message);
      else if (event.type === "refused") on.problem(event.error.message);
      // What came before the closing may be older than the end itself.
      else if (event.type === "closed" && event.reason !== "deleted") api.acquisition(id, signal).then(show, complain);
    },
    signal,
  ).catch(complain);
  return {
    image: image.root,
    widefield: widefield.root,
    actions: actions.root,
    connectAnew: () => socket && hangUp(socket),
  };
}

function actionBar(
  id: string,
  api: Api,
  signal: AbortSignal,
): { root: HTMLElement; show: (acquisition: Acquisition) => void } {
  let name = id;
  let pixelNm = 20;
  const picture = async (): Promise<File | null> => {
    const png = await api.picture(id, pixelNm, signal);
    return png === null ? null : new File([png], fileName(name, "png"), { type: "image/png" });
  };
  const save = action("download", words.savePng, async () => {
    const file = await picture();
    if (file !== null) saveAs(file, file.name);
  });
  const share = action("share", words.share, async () => {
    const url = `${location.origin}/${fragmentOf({ page: "view", id })}`;
    const file = await picture();
    const data: ShareData = { title: name, ...(file === null ? { url } : { files: [file] }) };
    if ("canShare" in navigator && navigator.canShare(data)) {
      await navigator.share(data);
      return;
    }
    await navigator.clipboard.writeText(url);
    toast(words.shared);
  });
  const root = element("div", { class: "result-actions", hidden: true }, save, share);
  return {
    root,
    show: ({ settings, localizations }) => {
      name = settings.name;
      pixelNm = Math.max(10, settings.pixel_size_nm / 5);
      root.hidden = localizations === 0;
    },
  };
}

function action(name: Parameters<typeof icon>[0], label: string, press: () => Promise<void>): HTMLButtonElement {
  const made = button(icon(name), {}, async () => {
    try {
      await press();
    } catch (error) {
      const isCancelled = error instanceof DOMException && error.name === "AbortError";
      if (!isCancelled && !(error instanceof PageError) && !(error instanceof DOMException)) throw error;
      if (!isCancelled) toast(messageOf(error));
    }
  });
  made.append(label);
  return made;
}
