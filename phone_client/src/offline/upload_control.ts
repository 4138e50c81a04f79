/**
 * The upload of one video as the person sees it: begun, paused, gone on with, done. Of a recording that is kept on this
 * device it remembers how far it came; of a file it does so as long as the page is open.
 */
import { CountRate } from "../app/count_rate";
import { button, element, say } from "../app/dom";
import { PageError, unreachable } from "../app/errors";
import { icon } from "../app/icons";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { fragmentOf } from "../app/places";
import { texts } from "../app/texts";
import { askBeforeUnload } from "../app/unload";
import type { CameraReport } from "../generated/models";
import { rate } from "./amounts";
import type { UploadState } from "./store";
import { type UploadJob, deliver, upload } from "./upload";

/** What is to be uploaded. */
export interface UploadSubject {
  readonly name: string;
  readonly pixelSizeNm: number;
  /** What it was filmed with; null where that is not known. */
  readonly camera: CameraReport | null;
  /** As far as it came before. */
  readonly upload: UploadState;
  file(): Promise<File>;
  /** Keeps how far it has come. */
  note(upload: UploadState): Promise<void>;
}

const RATE_OVER_MS = 4000;

export class UploadControl {
  readonly root = element("div", { class: "upload-progress" });
  /** What can be done now: one button, or none. */
  readonly action = element("div", { class: "upload-action" });
  readonly #status = element("p", { class: "muted small", role: "status" });
  readonly #bar = element("progress", { max: "1", value: "0", hidden: true });
  readonly #problem = notice();
  #upload: UploadState;
  #sending: AbortController | null = null;
  /** The server does not take such a file; another attempt would end the same way. */
  #isUnusable = false;

  constructor(
    private readonly subject: UploadSubject,
    private readonly page: Page,
    /** When it pauses by itself; null where it goes on as long as the page is open. */
    leaving: AbortSignal | null,
    private readonly onOffer: (isSending: boolean) => void = () => undefined,
  ) {
    this.#upload = subject.upload;
    this.#bar.setAttribute("aria-label", `${texts.kept.upload}: ${subject.name}`);
    this.root.append(this.#bar, this.#status, this.#problem.root);
    leaving?.addEventListener("abort", () => this.pause(), { once: true });
    this.#offer();
  }

  get upload(): UploadState {
    return this.#upload;
  }

  /** What was sent stays with the server. */
  pause(): void {
    this.#sending?.abort();
  }

  /** Nothing of it stays with the server, unless all of it has arrived. */
  async discard(): Promise<void> {
    this.pause();
    if (this.#upload.state === "begun") await this.#withdraw(this.#upload.acquisitionId);
  }

  /** To its end, or until it is paused; does nothing while it goes on. */
  async start(): Promise<void> {
    if (this.#sending !== null) return;
    const stop = new AbortController();
    this.#sending = stop;
    const over = new AbortController();
    askBeforeUnload(over.signal);
    this.#problem.show(null);
    this.#offer();
    try {
      const target = await this.#target();
      const { camera } = this.subject;
      if (camera !== null) await this.page.api.tellCamera(target.acquisitionId, camera, stop.signal);
      const file = await this.subject.file();
      if (stop.signal.aborted) return;
      await this.#send({ file, ...target }, stop.signal);
      await this.#note({ state: "done", acquisitionId: target.acquisitionId });
    } catch (error) {
      if (!stop.signal.aborted) await this.#fail(error);
    } finally {
      this.#sending = null;
      over.abort();
      this.#offer();
    }
  }

  /** The acquisition to which it goes, made now where there is none, and how far an earlier attempt came. */
  async #target(): Promise<{ acquisitionId: string; url: string | null }> {
    if (this.#upload.state === "begun") return this.#upload;
    const { name, pixelSizeNm } = this.subject;
    const { id } = await this.page.api.create({ name, pixel_size_nm: pixelSizeNm });
    this.page.session.created(id);
    await this.#note({ state: "begun", acquisitionId: id, url: null });
    return { acquisitionId: id, url: null };
  }

  async #send(job: UploadJob, signal: AbortSignal): Promise<void> {
    const bytesPerS = new CountRate(RATE_OVER_MS);
    const show = (sentBytes: number, totalBytes: number) => {
      this.#bar.value = totalBytes === 0 ? 0 : sentBytes / totalBytes;
      const isAllSent = sentBytes > 0 && sentBytes === totalBytes;
      const how = isAllSent ? texts.kept.looking : texts.kept.uploading(100 * this.#bar.value, rate(bytesPerS.perS));
      say(this.#status, how);
    };
    show(0, job.file.size);
    const events = {
      located: (url: string) => void this.#note({ state: "begun", acquisitionId: job.acquisitionId, url }),
      progress: (sentBytes: number, totalBytes: number) => {
        bytesPerS.add(sentBytes, performance.now());
        show(sentBytes, totalBytes);
      },
      waiting: () => say(this.#status, texts.kept.waiting),
    };
    const { api } = this.page;
    await deliver(job, events, signal, { send: upload, ask: (id) => api.acquisition(id, signal) });
  }

  async #fail(error: unknown): Promise<void> {
    if (!(error instanceof PageError)) throw error;
    this.#isUnusable = error.reason === "unusable";
    // It waits for this file alone, and would do so for ever.
    if (this.#isUnusable && this.#upload.state === "begun") await this.#withdraw(this.#upload.acquisitionId);
    // Its acquisition was deleted meanwhile: the next attempt makes another one.
    if (error.reason === "not_found") await this.#note({ state: "none" });
    say(this.#status, "");
    this.#problem.show(error.reason === "not_found" ? texts.kept.acquisitionGone : error);
  }

  async #withdraw(acquisitionId: string): Promise<void> {
    try {
      await this.page.api.delete(acquisitionId);
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      console.debug(error.message); // it is still in the list of acquisitions, where it can be deleted
    }
    await this.#note({ state: "none" });
  }

  async #note(upload: UploadState): Promise<void> {
    this.#upload = upload;
    await this.subject.note(upload);
  }

  #offer(): void {
    this.#bar.hidden = this.#sending === null;
    const next = this.#next();
    this.action.replaceChildren(...(next === null ? [] : [next]));
    this.action.hidden = next === null;
    if (this.#sending === null && this.#upload.state !== "done") say(this.#status, "");
    if (this.#upload.state === "done") say(this.#status, texts.kept.uploaded);
    this.onOffer(this.#sending !== null);
  }

  #next(): HTMLElement | null {
    if (this.#sending !== null) return button(texts.kept.pause, {}, () => this.pause());
    if (this.#isUnusable) return null;
    const { state } = this.#upload;
    switch (state) {
      case "done": {
        const href = fragmentOf({ page: "view", id: this.#upload.acquisitionId });
        return element("a", { class: "button primary", href }, texts.kept.open);
      }
      case "none":
      case "begun":
        return this.#startButton(state === "none" ? texts.kept.upload : texts.kept.uploadOn);
      default:
        return unreachable(state);
    }
  }

  /** Who has not joined is led there first; where the server is away, nobody knows who has. */
  #startButton(label: string): HTMLElement {
    if (!this.page.session.may("film")) {
      const href = fragmentOf({ page: "join", code: null });
      return element("a", { class: "button", href }, texts.kept.joinToUpload);
    }
    const made = button(icon("upload"), { class: "primary" }, () => void this.start());
    made.append(label);
    return made;
  }
}
