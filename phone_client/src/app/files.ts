/** Files that the page gives away: saved by the browser, under names that every file system takes. */
import { element } from "./dom";

/** A large one may be read from a slow disk for minutes after the press. */
const KEPT_MS = 600_000;

export function saveAs(file: Blob, name: string): void {
  const url = URL.createObjectURL(file);
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), KEPT_MS);
}

export function fileName(name: string, ending: string): string {
  return `${name.replace(/[^\p{L}\p{N}._-]+/gu, "_")}.${ending}`;
}
