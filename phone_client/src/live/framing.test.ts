import { expect, test } from "vitest";
import { framed } from "../app/fakes";
import { Unframer } from "./framing";

const text = (message: ArrayBuffer) => new TextDecoder().decode(message);

test.each([1, 3, 7, 1000])("messages come out whole, whatever the pieces of %d bytes", (size) => {
  const body = framed("one", "the second", "3");
  const unframer = new Unframer();
  const found: string[] = [];
  for (let place = 0; place < body.length; place += size) {
    for (const message of unframer.take(body.subarray(place, place + size))) found.push(text(message));
  }
  expect(found).toEqual(["one", "the second", "3"]);
});

test("a message that is cut short does not come out", () => {
  const body = framed("one", "two");
  expect([...new Unframer().take(body.subarray(0, -1))].map(text)).toEqual(["one"]);
});

test("an answer of something else is noticed", () => {
  const page = new TextEncoder().encode("<!doctype html>");
  expect(() => [...new Unframer().take(page)]).toThrow("not one of messages");
});
