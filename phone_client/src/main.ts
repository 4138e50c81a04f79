/** The page's door: which place, with which token. */
import { Api } from "./api";
import { enter, fragmentOf, hasAdminToken, keepToken, type Place, sharedLink, tokenFor } from "./place";
import "./styles.css";
import { texts } from "./texts";
import { showAcquisition } from "./views/acquisition";
import { element } from "./views/dom";
import { showStart } from "./views/start";

const root = document.querySelector<HTMLElement>("#page");
if (root === null) throw new Error("index.html has no #page");

open(root, new AbortController());

/** Shows the place of the address bar, until another one is opened. */
function open(page: HTMLElement, leaving: AbortController): void {
  const { place, hadToken } = enter(location.hash, sessionStorage);
  if (hadToken) history.replaceState(null, "", `${location.pathname}${fragmentOf(place)}`);
  const openAgain = () => {
    leaving.abort();
    open(page, new AbortController());
  };
  window.addEventListener("hashchange", openAgain, { signal: leaving.signal });
  show(page, place, leaving.signal);
}

function go(place: Place): void {
  location.hash = fragmentOf(place);
}

function show(page: HTMLElement, place: Place, signal: AbortSignal): void {
  const token = tokenFor(place, sessionStorage);
  if (token === null) {
    page.replaceChildren(
      element("main", { class: "lost" }, element("h1", {}, texts.noToken), element("p", {}, texts.noTokenAdvice)),
    );
    return;
  }
  document.title = texts.appName;
  const api = new Api(token);
  if (place.page === "start") {
    const created = (made: { id: string; token: string }) => {
      const target: Place = { page: "acquisition", id: made.id };
      keepToken(target, made.token, sessionStorage);
      go(target);
    };
    showStart(page, api, { created, opened: (id) => go({ page: "acquisition", id }) }, signal);
    return;
  }
  const back = hasAdminToken(sessionStorage) ? () => go({ page: "start" }) : null;
  const link = sharedLink(place.id, location.origin + location.pathname, sessionStorage);
  showAcquisition(page, place.id, api, { back, link }, signal);
}
