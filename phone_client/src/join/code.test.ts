import { expect, test } from "vitest";
import { codeIn } from "./code";

test("a code is taken from a whole address, too", () => {
  for (const typed of ["K7QM2P01", " K7QM2P01 ", "https://lab.example:8443/#/join/K7QM2P01"]) {
    expect(codeIn(typed)).toBe("K7QM2P01");
  }
});
