import { expect, test } from "vitest";
import { languageOf } from "./texts";

test("a region does not matter, and who speaks nothing that the page speaks gets English", () => {
  expect(languageOf(["de-DE", "en-GB"])).toBe("en");
  expect(languageOf(["de", "fr"])).toBe("en");
  expect(languageOf([])).toBe("en");
});
