/** A code from the room's screen becomes this device's session; then the camera. */
import { element, field, say } from "../app/dom";
import { type FailureReason, PageError } from "../app/errors";
import { MODULES } from "../app/modules";
import { type Notice, notice } from "../app/notice";
import type { Page } from "../app/page";
import { firstPlace } from "../app/permits";
import { type Place, placeOf } from "../app/places";
import { frame } from "../app/shell";
import { texts } from "../app/texts";
import { codeIn } from "./code";
import "./join.css";

export function show(root: HTMLElement, page: Page, place: Place, signal: AbortSignal): void {
  const code = place.page === "join" ? place.code : null;
  if (code === null) {
    ask(root, page, signal, null);
    return;
  }
  MODULES.film().catch(() => undefined); // most codes lead to the camera: it is loaded while the server looks at the code
  frame(root, page, "join").append(element("p", { class: "waiting-place", role: "status" }, texts.joining));
  page.session.enter({ code }).then(
    () => !signal.aborted && goOn(page),
    (error: unknown) => !signal.aborted && ask(root, page, signal, error),
  );
}

/** To what the person had wanted, else to what the code is for. */
function goOn(page: Page): void {
  const wanted = placeOf(location.hash);
  page.go(wanted === null || wanted.page === "join" ? firstPlace(page.session.grants) : wanted, "replace");
}

/** A field for the code; `refusal` is why the one before did not do. */
function ask(root: HTMLElement, page: Page, signal: AbortSignal, refusal: unknown): void {
  const problem = notice();
  const spelling = { autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: "40" };
  const input = element("input", { id: "code", class: "code", required: true, ...spelling });
  const submit = element("button", { type: "submit", class: "primary" }, texts.join);
  const form = element("form", { class: "card join" }, field(texts.codeLabel, input), problem.root, submit);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void tryCode(page, input, submit, problem, signal);
  });
  const certificate = element("p", {}, element("a", { href: "/ca" }, texts.certificateHelp));
  frame(root, page, "join").replaceChildren(
    element("h1", {}, texts.join),
    element("p", {}, texts.joinAdvice),
    form,
    element("p", { class: "muted" }, texts.joinOrLink),
    certificate,
  );
  root.querySelector("main")?.classList.add("narrow");
  if (refusal !== null) problem.show(explained(refusal));
  input.focus();
}

async function tryCode(
  page: Page,
  input: HTMLInputElement,
  submit: HTMLButtonElement,
  problem: Notice,
  signal: AbortSignal,
): Promise<void> {
  submit.disabled = true;
  say(submit, texts.joining);
  problem.show(null);
  try {
    await page.session.enter({ code: codeIn(input.value) });
    if (!signal.aborted) goOn(page);
  } catch (error) {
    problem.show(explained(error));
    input.select();
  } finally {
    submit.disabled = false;
    say(submit, texts.join);
  }
}

const SPENT: ReadonlySet<FailureReason> = new Set(["not_joined", "not_allowed", "not_found"]);

/** A code that is used up or too old is nobody's mistake: what to do next stands beside it. */
function explained(error: unknown): unknown {
  const isSpent = error instanceof PageError && SPENT.has(error.reason);
  return isSpent ? `${texts.codeWrong} ${texts.codeWrongAdvice}` : error;
}
