/** One reconstruction on this device, as it is seen: preview, growing image, figures, and what can be saved of it. */
import { button, element, say } from "../app/dom";
import { unreachable } from "../app/errors";
import { fileName, saveAs } from "../app/files";
import { texts } from "../app/texts";
import type { BinaryMessage, Rows } from "../live/messages";
import { count } from "../viewer/figures";
import { type ImagePanel, imagePanel } from "../viewer/image_panel";
import { MAX_ROWS } from "../viewer/table";
import type { Region } from "./luma";
import { type LocalProgress, type LocalState, reconstruct } from "./reconstruction";
import type { LocalSettings } from "./settings_form";
import type { LocalSource } from "./sources";
import { thunderstormCsv } from "./thunderstorm";

export class RunView {
  readonly root: HTMLElement;
  readonly #status = element("p", { class: "local-status", role: "status" });
  readonly #rate = element("dd");
  readonly #frames = element("dd");
  readonly #localizations = element("dd");
  readonly #stop: HTMLButtonElement;
  readonly #save: HTMLButtonElement;
  readonly #image: ImagePanel;
  readonly #tables: Rows[] = [];

  constructor(
    private readonly source: LocalSource,
    private readonly settings: LocalSettings,
    private readonly stop: AbortController,
    leaving: AbortSignal,
  ) {
    this.#image = imagePanel(leaving);
    this.#stop = button(texts.onDevice.stop, { class: "primary" }, () => stop.abort());
    this.#save = button(texts.onDevice.saveTable, { hidden: true }, () => this.#saveTable());
    const { rate, frames, localizations } = texts.onDevice;
    const figures = element(
      "dl",
      { class: "local-figures" },
      ...figure(rate, this.#rate),
      ...figure(frames, this.#frames),
      ...figure(localizations, this.#localizations),
    );
    const actions = element("div", { class: "actions" }, this.#stop, this.#save);
    const side = element("div", { class: "local-side" }, this.#status, figures, actions);
    if (source.preview !== null) side.append(source.preview);
    this.root = element("section", { class: "local-view" }, this.#image.root, side);
  }

  /** To its end. */
  async run(): Promise<void> {
    const { generator, sidePx, readout } = this.settings;
    const events = {
      changed: (state: LocalState) => this.#show(state),
      sized: ({ width, height }: Region) =>
        this.#image.stage.open({ widthPx: width, heightPx: height, pixelSizeNm: readout.pixelSizeNm }),
      localized: (message: BinaryMessage) => {
        if (message.rows.count > 0) this.#tables.push(message.rows);
        this.#image.handle(message);
        if (message.totalRows >= MAX_ROWS) this.stop.abort();
      },
      next: (send: (picture: VideoFrame) => void) => this.source.next(send),
    };
    await reconstruct(generator, this.source.frames(sidePx), readout, events, this.stop.signal);
  }

  #show(state: LocalState): void {
    this.root.dataset["state"] = state.state;
    this.#stop.hidden = state.state === "ended" || state.state === "failed";
    this.#save.hidden = state.state !== "ended";
    switch (state.state) {
      case "loading":
        say(this.#status, texts.onDevice.loading);
        return;
      case "running":
        say(this.#status, texts.onDevice.runsOn(state.backend.name, state.backend.threads));
        this.#figures(state.progress);
        return;
      case "ended":
        say(this.#status, endedWords(state.progress.localizations));
        this.#figures(state.progress);
        return;
      case "failed":
        say(this.#status, state.error.message);
        return;
      default:
        unreachable(state);
    }
  }

  #figures({ frames, localizations, framesPerS }: LocalProgress): void {
    say(this.#rate, framesPerS === null ? texts.notYet : framesPerS.toFixed(framesPerS < 10 ? 1 : 0));
    say(this.#frames, count(frames));
    say(this.#localizations, count(localizations));
  }

  #saveTable(): void {
    const file = new Blob(thunderstormCsv(this.#tables, this.settings.readout.pixelSizeNm), { type: "text/csv" });
    saveAs(file, fileName(this.source.name, "csv"));
  }
}

/** The table is kept in this device's memory, which is bounded. */
function endedWords(localizations: number): string {
  if (localizations >= MAX_ROWS) return texts.onDevice.full(count(MAX_ROWS));
  return localizations > 0 ? texts.onDevice.ended : texts.onDevice.nothing;
}

function figure(name: string, value: HTMLElement): [HTMLElement, HTMLElement] {
  say(value, texts.notYet);
  return [element("dt", {}, name), value];
}
