/** One of the two results: its image, drawn and moved like the viewer's, and how far it has come. */
import type { Api } from "../app/api";
import { element, say } from "../app/dom";
import { PageError, messageOf, unreachable } from "../app/errors";
import { texts } from "../app/texts";
import type { Acquisition } from "../generated/models";
import { type FeedEvent, follow, partsOf } from "../live/feed";
import type { BinaryMessage } from "../live/messages";
import { isOver } from "../viewer/figures";
import type { Field } from "../viewer/rule";
import { type DrawWith, Stage } from "../viewer/stage";
import { MAX_ROWS } from "../viewer/table";
import type { Index } from "./brightness";
import { type Place, inField } from "./common_field";

/** Two tables share what one alone may take. */
const ROWS = MAX_ROWS / 2;

export interface Heard {
  /** How far it is, or that it has come further. */
  changed(acquisition: Acquisition): void;
  /** What keeps it from being shown, or from being shown as it is now. */
  failed(error: unknown): void;
}

export class Side {
  readonly root: HTMLElement;
  readonly stage: Stage;
  readonly #early: BinaryMessage[] = []; // before it was placed
  readonly #empty = element("p", { class: "placeholder" }, texts.imageWaits);
  #place: { place: Place; field: Field } | null = null;

  constructor(
    readonly index: Index,
    readonly id: string,
    drawWith: DrawWith,
    private readonly heard: Heard,
    private readonly signal: AbortSignal,
  ) {
    const { compare } = texts;
    this.stage = new Stage(drawWith, signal);
    this.stage.root.setAttribute("aria-label", `${compare.stages[index]}. ${compare.stageHelp}`);
    const badge = element("span", { class: "which", "aria-hidden": "true" }, String(index + 1));
    const label = { class: "picture", "data-which": String(index + 1), "aria-label": compare.stages[index] };
    this.root = element("section", label, this.stage.root, this.#empty, badge);
  }

  follow(api: Api): void {
    const complain = (error: unknown) => {
      if (this.signal.aborted) return;
      this.explain(texts.compare.cannotShow(messageOf(error)));
      this.heard.failed(error);
    };
    const hear = (event: FeedEvent) => this.#hear(event, api, complain);
    follow(api.liveUrl(this.id), partsOf(api, this.id), hear, this.signal, ROWS).catch(complain);
  }

  /** Where its region lies in the field of both. */
  place(place: Place, field: Field): void {
    if (this.#place !== null) return;
    this.#place = { place, field };
    this.stage.open(field);
    if (place.width < field.widthPx || place.height < field.heightPx) this.stage.lay(outlineOf(place, field));
    for (const message of this.#early.splice(0)) this.#take(message);
  }

  /** Why there is no image. */
  explain(why: string): void {
    say(this.#empty, why);
  }

  /** Localizations that are not in its image, because there are too many. */
  get leftOut(): number {
    return this.stage.scene?.table.leftOut ?? 0;
  }

  #hear(event: FeedEvent, api: Api, complain: (error: unknown) => void): void {
    switch (event.type) {
      case "progress":
        return this.#tell(event.acquisition);
      case "localizations":
        return this.#take(event.message);
      case "connected":
      case "disconnected":
        return;
      case "refused":
        return complain(event.error);
      case "closed":
        if (event.reason === "deleted") complain(new PageError("not_found", texts.deleted));
        // What came before the closing may be older than the end itself.
        else api.acquisition(this.id, this.signal).then((now) => this.#tell(now), complain);
        return;
      default:
        unreachable(event);
    }
  }

  #tell(acquisition: Acquisition): void {
    const { nothing, noFrames } = texts.compare;
    if (isOver(acquisition) && acquisition.localizations === 0) {
      this.explain(acquisition.roi === null ? noFrames : nothing);
    }
    this.heard.changed(acquisition);
  }

  #take(message: BinaryMessage): void {
    if (this.#place === null) {
      this.#early.push(message);
      return;
    }
    const { place, field } = this.#place;
    this.stage.handle(inField(message, place, field.pixelSizeNm));
    if (message.rows.count > 0) this.#empty.hidden = true;
  }
}

/** Beyond its region nothing was looked for: black there means nothing. */
function outlineOf(place: Place, field: Field): HTMLElement {
  const region = element("div", { class: "region" });
  const share = (part: number, of: number) => `${(100 * part) / of}%`;
  region.style.left = share(place.x, field.widthPx);
  region.style.top = share(place.y, field.heightPx);
  region.style.width = share(place.width, field.widthPx);
  region.style.height = share(place.height, field.heightPx);
  return element("div", { class: "overlay" }, region);
}
