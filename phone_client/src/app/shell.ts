/** What stands around a place: the way to the others, light or dark, and the way out. */
import { confirmed } from "./dialog";
import { button, element } from "./dom";
import { type IconName, icon } from "./icons";
import type { Page } from "./page";
import { type PageName, type Place, fragmentOf } from "./places";
import "./shell.css";
import { texts } from "./texts";
import { type Theme, chooseTheme, keptTheme, themeAfter } from "./theme";
import { toast } from "./toast";

interface Way {
  readonly place: Place;
  readonly label: string;
  readonly icon: IconName;
  readonly isOpen: (page: Page) => boolean;
}

const WAYS: readonly Way[] = [
  { place: { page: "start" }, label: texts.home, icon: "home", isOpen: () => true },
  {
    place: { page: "film", id: null },
    label: texts.film,
    icon: "camera",
    isOpen: ({ session }) => session.may("film"),
  },
  { place: { page: "wall" }, label: texts.wall, icon: "wall", isOpen: ({ session }) => session.may("watch") },
  { place: { page: "recordings" }, label: texts.recordings, icon: "kept", isOpen: () => true },
  { place: { page: "guide" }, label: texts.guide, icon: "guide", isOpen: () => true },
];

const THEME_ICONS: Record<Theme, IconName> = { system: "system", light: "sun", dark: "moon" };

/** Fills `root` with the bar, the places, and `<main>`, which is returned to be filled. */
export function frame(root: HTMLElement, page: Page, current: PageName): HTMLElement {
  const main = element("main", { class: "content", id: "content", tabindex: "-1" });
  const header = element("header", { class: "bar" }, brand(), places(page, current), themeSwitch());
  if (page.session.grants.length > 0) header.append(signOut(page, async () => true));
  root.replaceChildren(skipLink(main), header, main);
  return main;
}

/** The bar of a place that has the whole screen to itself: a way back, a name, and what it adds. */
export function bar(back: Place, name: HTMLElement, ...more: Node[]): HTMLElement {
  const away = element("a", { class: "button quiet round back", href: fragmentOf(back), "aria-label": texts.back });
  away.append(icon("back"));
  return element("header", { class: "bar" }, away, name, ...more);
}

/** Goes to the next of three; for the header of every place. */
export function themeSwitch(): HTMLButtonElement {
  let theme = keptTheme(localStorage);
  const made = button("", { class: "quiet round theme" }, () => {
    theme = themeAfter(theme);
    chooseTheme(theme, localStorage, document.documentElement);
    show();
  });
  const show = () => {
    made.setAttribute("aria-label", `${texts.theme}: ${texts.themes[theme]}`);
    made.title = texts.themes[theme];
    made.replaceChildren(icon(THEME_ICONS[theme]));
  };
  show();
  return made;
}

function brand(): HTMLElement {
  const mark = element("img", { src: "/icon.svg", alt: "", width: "32", height: "32" });
  return element("a", { class: "brand", href: fragmentOf({ page: "start" }) }, mark, texts.appName);
}

function places(page: Page, current: PageName): HTMLElement {
  const links = WAYS.filter((way) => way.isOpen(page)).map((way) => {
    const link = element("a", { href: fragmentOf(way.place) }, icon(way.icon), way.label);
    if (way.place.page === current) link.setAttribute("aria-current", "page");
    return element("li", {}, link);
  });
  return element("nav", { class: "places", "aria-label": texts.places }, element("ul", {}, ...links));
}

function skipLink(main: HTMLElement): HTMLElement {
  const link = element("a", { class: "skip button primary", href: "#content" }, texts.skip);
  link.addEventListener("click", (event) => {
    event.preventDefault(); // the fragment is the place
    main.focus();
  });
  return link;
}

/** Where it would be pressed by mistake in front of the class: asks first. */
export function signOutAfterQuestion(page: Page): HTMLElement {
  return signOut(page, () => confirmed(texts.signOut, texts.signOutQuestion, texts.signOut));
}

function signOut(page: Page, isMeant: () => Promise<boolean>): HTMLElement {
  return button(icon("out"), { class: "quiet round", "aria-label": texts.signOut, title: texts.signOut }, async () => {
    if (!(await isMeant())) return;
    await page.session.leave();
    toast(texts.signedOut);
    page.go({ page: "join", code: null });
  });
}
