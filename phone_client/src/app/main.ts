/** The page's door: which place is wanted, whether this browser may go there, and the module that shows it. */
import { Api } from "./api";
import "./controls.css";
import { closeDialogs } from "./dialog";
import { button, element } from "./dom";
import { PageError, messageOf } from "./errors";
import { keepInstalled } from "./installed";
import { MODULES } from "./modules";
import type { Page } from "./page";
import { firstPlace, isOpenToAll, permits } from "./permits";
import { type Place, fragmentOf, placeOf, tokenOf } from "./places";
import { Session } from "./session";
import { frame } from "./shell";
import { language, texts } from "./texts";
import { keptTheme, showTheme } from "./theme";
import "./theme.css";
import { toast } from "./toast";

/** Places that need no server do not wait longer for one that does not answer. */
const ANSWER_MS = 1500;

/** What is on the screen there stays: the camera, or the image. */
const SAYS_IT_ITSELF: ReadonlySet<Place["page"]> = new Set(["film", "view"]);

const root = rootElement();
const session = new Session(localStorage);
const page: Page = { api: new Api(location.origin, undefined, askToJoinAgain), session, go };
let leaving = new AbortController();
let isFirst = true;
/** Of a link that was opened while the server was away: it stands in no address, and whoever tries again needs it. */
let unusedToken: string | null = null;

document.documentElement.lang = language;
showTheme(keptTheme(localStorage), document.documentElement);
window.addEventListener("hashchange", () => void open());
window.addEventListener("unhandledrejection", ({ reason }) => {
  // Of a press that nothing else answers for, as signing out without a network.
  if (reason instanceof PageError) toast(reason.message);
});
void open();
keepInstalled();

function go(place: Place, how: "push" | "replace" = "push"): void {
  const fragment = fragmentOf(place);
  if (how === "push" && fragment !== location.hash) {
    location.hash = fragment;
    return;
  }
  history.replaceState(null, "", fragment);
  void open();
}

/** Its code has expired, or was taken back. */
function askToJoinAgain(): void {
  if (session.grants.length === 0) return; // that is known already
  session.ended();
  if (SAYS_IT_ITSELF.has(placeOf(location.hash)?.page ?? "start")) return;
  toast(texts.problems.rightEnded);
  void open();
}

/** Shows the place of the address bar, until another one is opened. */
async function open(): Promise<void> {
  leaving.abort();
  leaving = new AbortController();
  const { signal } = leaving;
  closeDialogs();
  try {
    await exchangeToken();
    const place = placeOf(location.hash);
    if (place === null) explain(texts.noSuchPlace, texts.noSuchPlaceAdvice);
    else await enter(place, signal);
  } catch (error) {
    if (!signal.aborted) explain(texts.cannotOpen, messageOf(error), true);
  }
  if (!signal.aborted && !isFirst) root.querySelector<HTMLElement>("h1")?.focus();
  isFirst = false;
}

async function enter(place: Place, signal: AbortSignal): Promise<void> {
  const address = location.hash;
  document.title = titleOf(place);
  const loading = MODULES[place.page]();
  loading.catch(() => undefined); // awaited below, unless the place is not opened after all
  const refused = await refusal(place);
  const module = await (refused === "join" ? MODULES.join() : loading);
  // An address may have changed already, its event still to come: who is sent elsewhere now would lose it.
  if (signal.aborted || location.hash !== address) return;
  if (refused === "forbidden") {
    refuse(place);
    return;
  }
  scrollTo(0, 0);
  module.show(root, page, refused === "join" ? { page: "join", code: null } : place, signal);
  root.querySelector("h1")?.setAttribute("tabindex", "-1");
}

/** What keeps this browser from a place: nobody has joined from here, or may not open it; null for nothing. */
async function refusal(place: Place): Promise<"join" | "forbidden" | null> {
  if (isOpenToAll(place)) {
    await Promise.race([session.known(), new Promise((resolve) => setTimeout(resolve, ANSWER_MS))]);
    return null;
  }
  const known = await session.known();
  if (known.state === "unknown") throw known.error;
  if (known.state === "none") return "join";
  return permits(session, place) ? null : "forbidden";
}

/** A spectator of one acquisition has no start page; everybody else is told. */
function refuse(place: Place): void {
  const instead = firstPlace(session.grants);
  if (place.page === "start" && instead.page !== "start") go(instead, "replace");
  else explain(texts.notAllowed, texts.notAllowedAdvice);
}

/**
 * A key in the address is taken out of it before anything else happens, and used up. One that the server was away for is
 * tried again as soon as somebody wants to go where the server is needed.
 */
async function exchangeToken(): Promise<void> {
  const found = tokenOf(location.hash);
  if (found !== null) history.replaceState(null, "", fragmentOf(found.place ?? { page: "start" }));
  const place = placeOf(location.hash);
  const token = found?.token ?? (place !== null && isOpenToAll(place) ? null : unusedToken);
  if (token === null) return;
  unusedToken = null;
  const entering = session.enter({ token });
  if (place !== null) MODULES[place.page]().catch(() => undefined); // loads meanwhile; whoever enters awaits it
  try {
    await entering;
  } catch (error) {
    if (error instanceof PageError && error.isPassing) unusedToken = token;
    throw error;
  }
}

function titleOf(place: Place): string {
  const names: Partial<Record<Place["page"], string>> = {
    film: texts.film,
    compare: texts.compare.title,
    wall: texts.wallTitle,
    sample: texts.sampleTitle,
    record: texts.kept.record,
    recordings: texts.recordingsTitle,
    local: texts.localTitle,
    guide: texts.guideTitle,
    join: texts.join,
  };
  const name = names[place.page];
  return name === undefined ? texts.appName : `${name} · ${texts.appName}`;
}

/** In place of a place: why it is not shown, and where else one may go. */
function explain(heading: string, advice: string, canRetry = false): void {
  const words = [element("h1", { tabindex: "-1" }, heading), element("p", { role: "alert" }, advice)];
  const lost = element("div", { class: "lost" }, ...words);
  if (canRetry)
    lost.append(
      button(texts.tryAgain, { class: "primary" }, () => (unusedToken === null ? location.reload() : void open())),
      withoutServer(),
    );
  frame(root, page, "start").replaceChildren(lost);
}

function withoutServer(): HTMLElement {
  const ways: [Place, string][] = [
    [{ page: "record" }, texts.kept.record],
    [{ page: "recordings" }, texts.recordings],
    [{ page: "local", recording: null }, texts.local],
    [{ page: "guide" }, texts.guide],
  ];
  const links = ways.map(([way, label]) => element("li", {}, element("a", { href: fragmentOf(way) }, label)));
  return element("div", {}, element("p", { class: "muted" }, texts.withoutServer), element("ul", {}, ...links));
}

function rootElement(): HTMLElement {
  const found = document.querySelector<HTMLElement>("#page");
  if (found === null) throw new Error("index.html has no #page");
  return found;
}
