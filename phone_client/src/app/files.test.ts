import { expect, test } from "vitest";

import { fileName } from "./files";

test("a file is named as the person named it, in characters that every file system takes", () => {
  expect(fileName("Zellen / Tür 3", "mp4")).toBe("Zellen_Tür_3.mp4");
  expect(fileName("a.b-c_d", "png")).toBe("a.b-c_d.png");
});
