import { expect, test } from "vitest";
import { enter, fragmentOf, hasAdminToken, sharedLink, tokenFor } from "./place";

class FakeKeep {
  readonly items = new Map<string, string>();
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => void this.items.set(key, value);
}

test("the admin's link leads to the start page, and its token is kept", () => {
  const keep = new FakeKeep();
  expect(enter("#token=secret", keep)).toEqual({ place: { page: "start" }, hadToken: true });
  expect(tokenFor({ page: "start" }, keep)).toBe("secret");
  expect(fragmentOf({ page: "start" })).toBe("");
});

test("an acquisition's link opens it and nothing else", () => {
  const keep = new FakeKeep();
  const { place } = enter("#acquisition=a-1&token=its-own", keep);
  expect(place).toEqual({ page: "acquisition", id: "a-1" });
  expect(tokenFor(place, keep)).toBe("its-own");
  expect(tokenFor({ page: "start" }, keep)).toBeNull();
  expect(tokenFor({ page: "acquisition", id: "b-2" }, keep)).toBeNull();
  expect(hasAdminToken(keep)).toBe(false);
});

test("the fragment that stays in the address bar opens the same place without its token", () => {
  const keep = new FakeKeep();
  const { place } = enter("#acquisition=a-1&token=its-own", keep);
  expect(fragmentOf(place)).toBe("#acquisition=a-1");
  expect(enter(fragmentOf(place), keep)).toEqual({ place, hadToken: false });
});

test("the admin opens every acquisition, but his token is never given away", () => {
  const keep = new FakeKeep();
  enter("#token=secret", keep);
  expect(tokenFor({ page: "acquisition", id: "a-1" }, keep)).toBe("secret");
  expect(sharedLink("a-1", "https://lab/", keep)).toBeNull();
});

test("a link for other devices can be entered there", () => {
  const [here, there] = [new FakeKeep(), new FakeKeep()];
  enter("#acquisition=a%261&token=t%3D", here);
  const link = new URL(sharedLink("a&1", "https://lab/", here)!);
  const { place } = enter(link.hash, there);
  expect([place, tokenFor(place, there)]).toEqual([{ page: "acquisition", id: "a&1" }, "t="]);
});
