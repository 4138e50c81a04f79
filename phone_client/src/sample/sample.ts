/** A simulated sample for rooms without a microscope: it takes the same way as a phone's video, and the image grows. */
import { sleep } from "../app/backoff";
import { button, element, say } from "../app/dom";
import { MODULES } from "../app/modules";
import { type Notice, notice } from "../app/notice";
import type { Page } from "../app/page";
import { type Place, fragmentOf } from "../app/places";
import { frame } from "../app/shell";
import { texts } from "../app/texts";
import { type Capture, Filming } from "../capture/filming";
import { Reach, waysTo } from "../capture/link";
import { browserParts, h264Of, publish } from "../capture/whip";
import { type Player, openPlayer } from "./player";
import "./sample.css";

const RECORDING = "/sample.mp4";
const PIXEL_SIZE_NM = 100; // of the simulation
const SHOW_EVERY_MS = 250;

export function show(root: HTMLElement, page: Page, _place: Place, signal: AbortSignal): void {
  const main = frame(root, page, "sample");
  const problem = notice();
  const begin = button(texts.samplePage.play, { class: "primary" }, async () => {
    problem.show(null);
    try {
      await play(root, page, signal);
    } catch (error) {
      if (!signal.aborted) problem.show(error);
    }
  });
  const film = element("img", { class: "sample-picture", src: "/sample.jpg", alt: texts.samplePage.pictureAlt });
  const words = texts.samplePage.words.map((text) => element("p", {}, text));
  main.classList.add("narrow");
  main.append(
    element("h1", {}, texts.sampleTitle),
    element("section", { class: "card sample" }, film, element("div", { class: "sample-words" }, ...words, begin)),
    problem.root,
  );
}

/** Shows the viewer of a new acquisition, and sends the recording to it. */
async function play(root: HTMLElement, page: Page, signal: AbortSignal): Promise<void> {
  h264Of(); // before an acquisition is made that nothing will be sent to
  const [player, viewer] = await Promise.all([openPlayer(RECORDING, signal), MODULES.view()]);
  signal.throwIfAborted(); // another place is on the screen by now
  const model = (await page.api.models()).find(({ is_for_live }) => is_for_live)?.spec.name;
  const settings = { name: texts.samplePage.name, pixel_size_nm: PIXEL_SIZE_NM };
  const { id } = await page.api.create({ ...settings, ...(model !== undefined && { model }) });
  page.session.created(id);
  signal.throwIfAborted();
  // A reload comes back to the image; the recording begins anew only when somebody asks for it.
  const place: Place = { page: "view", id };
  history.replaceState(null, "", fragmentOf(place));
  const image = element("div", { class: "sample-viewer" });
  const controls = playing(page, id, player, signal);
  root.replaceChildren(image, controls);
  scrollTo(0, 0);
  viewer.show(image, page, place, signal);
}

/** What is sent, how far it is, and the way to end it. */
function playing(page: Page, id: string, player: Player, signal: AbortSignal): HTMLElement {
  const status = element("span", { role: "status" }, texts.connecting);
  const progress = element("progress", { max: String(player.lengthS), "aria-label": texts.samplePage.name });
  progress.value = 0;
  const problem = notice();
  player.preview.setAttribute("aria-hidden", "true");
  const words = element("div", { class: "sample-status" }, status, progress, problem.root);
  const stop = button(texts.stop, {}, () => filming.stop());
  const root = element(
    "section",
    { class: "sample-bar", "aria-label": texts.samplePage.name },
    player.preview,
    words,
    stop,
  );
  const filming = sender(page, id, player, (capture) => showSending(capture, status, problem));

  const timer = setInterval(() => (progress.value = player.positionS()), SHOW_EVERY_MS);
  signal.addEventListener("abort", () => filming.stop(), { once: true });
  void player.ended.then(() => filming.stop());
  void filming.start().then(() => {
    clearInterval(timer);
    player.close();
    if (filming.capture.state === "idle") root.remove();
    else stop.remove();
  });
  return root;
}

function sender(page: Page, id: string, player: Player, onChange: (capture: Capture) => void): Filming {
  const reach = new Reach(waysTo(page.api.origin, () => page.api.liveUrl(id)));
  const parts = browserParts(reach);
  return new Filming(
    {
      create: async () => undefined, // it is there already: its image is on the screen
      publish: async (gap, publishing) => {
        const publication = { url: page.api.whipUrl(id), stream: player.stream, gap };
        const session = await publish(publication, publishing, parts);
        await player.play();
        return session;
      },
      isReachable: (asking) => reach.isReachable(asking),
      finish: () => page.api.finish(id),
      framesSoFar: player.framesSoFar,
      nowMs: () => performance.now(),
      sleep,
    },
    onChange,
  );
}

function showSending(capture: Capture, status: HTMLElement, problem: Notice): void {
  const { samplePage } = texts;
  problem.show(capture.state === "failed" ? capture.detail : null);
  if (capture.state === "filming") say(status, samplePage.playing);
  else if (capture.state === "stopping") say(status, texts.stopping);
  else say(status, capture.state === "failed" ? "" : texts.connecting);
}
