import { expect, test } from "vitest";
import { type Place, fragmentOf, placeOf, tokenOf } from "./places";

const PLACES: Place[] = [
  { page: "start" },
  { page: "join", code: null },
  { page: "join", code: "K7/ Q" },
  { page: "film", id: null },
  { page: "film", id: "a&1" },
  { page: "view", id: "a#1" },
  { page: "compare", first: "a/1", second: "b 2" },
  { page: "sample" },
  { page: "wall" },
  { page: "record" },
  { page: "recordings" },
  { page: "local", recording: null },
  { page: "local", recording: "r 1" },
  { page: "guide" },
];

test.each(PLACES)("the fragment of $page leads back to it", (place) => {
  expect(placeOf(fragmentOf(place))).toEqual(place);
});

test("an address without a fragment is the start page, an unknown one leads nowhere", () => {
  expect(placeOf("")).toEqual({ page: "start" });
  expect(placeOf("#/nowhere")).toBeNull();
  expect(placeOf("#/view/")).toBeNull();
  expect(placeOf("#/compare/a")).toBeNull();
});

test("a broken escape is taken as it is, not thrown at the person", () => {
  expect(placeOf("#/view/%E0%A4%A")).toEqual({ page: "view", id: "%E0%A4%A" });
});

test("a key in a link is found, with the place it opens", () => {
  expect(tokenOf("#token=secret")).toEqual({ token: "secret", place: { page: "start" } });
  expect(tokenOf("#/view/a-1?token=its%2Bown")).toEqual({ token: "its+own", place: { page: "view", id: "a-1" } });
  expect(tokenOf("#/view/a-1")).toBeNull();
});
