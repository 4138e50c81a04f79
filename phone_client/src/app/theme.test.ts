import { expect, test } from "vitest";
import { keepWith } from "./fakes";
import { chooseTheme, keptTheme, showTheme, themeAfter } from "./theme";

const rootOf = () => ({ dataset: {} }) as unknown as HTMLElement;

test("a choice lasts, and nonsense in the storage is no choice", () => {
  const keep = keepWith();
  chooseTheme("dark", keep, rootOf());
  expect(keptTheme(keep)).toBe("dark");
  expect(keptTheme(keepWith({ "cellstorm.theme": "pink" }))).toBe("system");
});

test("the switch goes through all three and comes back", () => {
  expect([themeAfter("system"), themeAfter("light"), themeAfter("dark")]).toEqual(["light", "dark", "system"]);
});

test("as the device has it leaves no mark", () => {
  const root = rootOf();
  showTheme("light", root);
  expect(root.dataset["theme"]).toBe("light");
  showTheme("system", root);
  expect("theme" in root.dataset).toBe(false);
});
