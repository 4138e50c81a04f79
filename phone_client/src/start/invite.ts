/**
 * The square pattern that phones scan: always one that still opens something. As soon as it is used up or nearly too
 * old, the next takes its place.
 */
import { sleep } from "../app/backoff";
import type { JoinCode, CodeRequest } from "../generated/models";
import { element, say } from "../app/dom";
import { PageError } from "../app/errors";
import { icon } from "../app/icons";
import { notice } from "../app/notice";
import type { Page } from "../app/page";
import { texts } from "../app/texts";
import { toast } from "../app/toast";
import { codePicture } from "./code_picture";
import { isSpent, wasUsed } from "./freshness";
import "./share.css";

const LOOK_EVERY_MS = 2000;
const VALID_S = 600;
const CLASS_USES = 30;

export function invitation(page: Page, signal: AbortSignal): HTMLElement {
  const picture = element("div", { class: "invite-picture", "aria-busy": true });
  const code = element("strong", { class: "invite-code" });
  const address = element("a", { class: "invite-address small" });
  const warning = element("a", {}, texts.inviteWarning);
  const problem = notice();
  const forClass = element("input", { type: "checkbox", role: "switch" });
  const label = element("label", { class: "switch" }, forClass, element("span", {}, texts.inviteClass));
  const heading = element("h2", { id: "invite-heading" }, icon("invite"), texts.inviteHeading);
  const words = element("div", { class: "invite-words" }, element("span", { class: "muted" }, texts.inviteCode), code);
  const card = element("section", { class: "card invite", "aria-labelledby": "invite-heading" });
  card.append(
    heading,
    picture,
    words,
    address,
    problem.root,
    element("p", { class: "muted" }, texts.inviteAdvice),
    element("p", { class: "muted small" }, warning),
    label,
  );

  const show = (made: JoinCode) => {
    picture.replaceChildren(codePicture(made));
    picture.removeAttribute("aria-busy");
    say(code, made.code);
    say(address, made.join_url.replace(/^https?:\/\//, ""));
    address.href = made.join_url;
    const explanation = new URL("/ca", made.join_url);
    warning.href = explanation.href;
    warning.hidden = explanation.protocol !== "https:";
  };
  let changed = new AbortController();
  const begin = () => {
    changed.abort();
    changed = new AbortController();
    const wanted: CodeRequest = {
      right: "film",
      acquisition_id: null,
      uses: forClass.checked ? CLASS_USES : 1,
      valid_s: VALID_S,
    };
    void keepFresh(page, wanted, show, problem.show, AbortSignal.any([signal, changed.signal]));
  };
  forClass.addEventListener("change", begin);
  begin();
  return card;
}

/** Until the signal is aborted; a server that is away is asked again. */
async function keepFresh(
  page: Page,
  wanted: CodeRequest,
  show: (code: JoinCode) => void,
  complain: (problem: unknown) => void,
  signal: AbortSignal,
): Promise<void> {
  let current: JoinCode | null = null;
  while (!signal.aborted) {
    try {
      current = await nextCode(page, wanted, current, signal);
      if (signal.aborted) return;
      show(current);
      complain(null);
    } catch (error) {
      if (signal.aborted) return;
      complain(error);
    }
    await sleep(LOOK_EVERY_MS, signal).catch(() => undefined); // aborted: the loop's condition ends it
  }
}

/** The same code while it is good, else a new one. */
async function nextCode(
  page: Page,
  wanted: CodeRequest,
  shown: JoinCode | null,
  signal: AbortSignal,
): Promise<JoinCode> {
  if (shown === null) return await page.api.createCode(wanted);
  if (document.hidden) return shown; // nobody scans what is not seen
  const known = await page.api.code(shown.code, signal).catch(absent);
  const next = known === null || isSpent(known, Date.now()) ? await page.api.createCode(wanted) : known;
  if (wasUsed(shown, known)) toast(texts.inviteJoined); // not before: what fails is tried again, and would say it again
  return next;
}

/** The server forgets codes that are too old. */
function absent(error: unknown): null {
  if (error instanceof PageError && error.reason === "not_found") return null;
  throw error;
}
