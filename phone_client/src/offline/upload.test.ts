import { expect, test } from "vitest";

import { mayPass } from "./upload";

test.each([
  [null, true],
  [423, true],
  [409, true],
  [503, true],
  [401, false],
  [404, false],
  [413, false],
])("after an answer of %s it is tried again: %s", (status, isTried) => {
  expect(mayPass(status)).toBe(isTried);
});
