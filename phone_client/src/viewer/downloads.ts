/** The menu of all that can be taken away. The cookie goes with plain links, so that browsers do the rest. */
import type { Api } from "../app/api";
import { button, element } from "../app/dom";
import { messageOf } from "../app/errors";
import { icon } from "../app/icons";
import { texts } from "../app/texts";
import type { Acquisition, ResultFile } from "../generated/models";
import { count } from "./figures";

const KB = 1000;

export interface Downloads {
  readonly root: HTMLElement;
  show(acquisition: Acquisition): void;
}

export function downloads(id: string, api: Api, savePicture: () => Promise<void>, signal: AbortSignal): Downloads {
  const { viewer } = texts;
  let isFinished = false;
  const list = element("ul", { class: "download-list" });
  const summary = element("summary", { class: "button quiet round", "aria-label": viewer.downloads }, icon("download"));
  summary.title = viewer.downloads;
  const save = button(viewer.viewPicture, { class: "quiet" }, async () => {
    await savePicture();
    root.open = false;
  });
  const root = element("details", { class: "menu" }, summary, element("div", { class: "menu-body" }, save, list));
  root.addEventListener("toggle", () => {
    if (root.open) void fill(list, id, api, isFinished);
  });
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape") root.open = false;
  });
  const pressElsewhere = (event: PointerEvent) => {
    if (event.target instanceof Node && !root.contains(event.target)) root.open = false;
  };
  document.addEventListener("pointerdown", pressElsewhere, { signal });
  return { root, show: ({ state }) => (isFinished = state === "finished") };
}

async function fill(list: HTMLElement, id: string, api: Api, isFinished: boolean): Promise<void> {
  const { viewer } = texts;
  try {
    const entries = (await api.files(id)).map(fileLink);
    if (isFinished) entries.unshift(link({ href: api.archiveUrl(id), download: "" }, viewer.everything));
    else entries.push(element("li", { class: "muted small" }, viewer.filesWait));
    list.replaceChildren(...entries);
  } catch (error) {
    list.replaceChildren(element("li", { class: "problem" }, messageOf(error)));
  }
}

/** Of the report a page, in a tab of its own; all others are saved. */
function fileLink(file: ResultFile): HTMLElement {
  const { name, url: href } = file;
  const isPage = file.media_type === "text/html";
  const way = isPage ? { href, target: "_blank", rel: "noopener" } : { href, download: name };
  return link(way, name, texts.viewer.fileUses[name], sizeOf(file));
}

function link(way: Record<string, string>, label: string, use = "", size = ""): HTMLElement {
  const anchor = element("a", way, element("span", {}, label));
  if (use !== "") anchor.append(element("span", { class: "muted small" }, use));
  if (size !== "") anchor.append(element("span", { class: "muted small size" }, size));
  return element("li", {}, anchor);
}

/** Nothing of what is made when it is fetched. */
function sizeOf({ bytes }: ResultFile): string {
  if (bytes === null) return "";
  if (bytes < KB) return `${bytes} B`;
  return bytes < KB ** 2 ? `${count(bytes / KB)} kB` : `${(bytes / KB ** 2).toFixed(1)} MB`;
}
