/** Light or dark: as the device has it, unless the person has chosen. */

export type Theme = "system" | "light" | "dark";

const KEY = "cellstorm.theme";
const ORDER: readonly Theme[] = ["system", "light", "dark"];

/** What of a browser's storage is needed; private windows may refuse it. */
export type Keep = Pick<Storage, "getItem" | "setItem">;

export function keptTheme(keep: Keep): Theme {
  const kept = keep.getItem(KEY);
  return ORDER.find((theme) => theme === kept) ?? "system";
}

export function themeAfter(theme: Theme): Theme {
  return ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length]!;
}

/** Shows it at once, and at every later visit. */
export function chooseTheme(theme: Theme, keep: Keep, root: HTMLElement): void {
  keep.setItem(KEY, theme);
  showTheme(theme, root);
}

export function showTheme(theme: Theme, root: HTMLElement): void {
  if (theme === "system") delete root.dataset["theme"];
  else root.dataset["theme"] = theme;
}
