import { expect, test } from "vitest";

import { PageError } from "../app/errors";
import { acquisitionWith } from "../app/fakes";
import type { Acquisition } from "../generated/models";
import { type UploadEvents, deliver, failureOf, mayPass } from "./upload";

const problemOf = (kind: string) => JSON.stringify({ type: `urn:cellstorm:problem:${kind}`, detail: "why" });

test.each([
  [null, "", true],
  [423, problemOf("upload-locked"), true],
  [409, problemOf("wrong-offset"), true],
  [409, problemOf("wrong-state"), false],
  [503, "<html>", true],
  [401, "", false],
  [404, problemOf("upload-not-found"), false],
  [413, problemOf("too-large"), false],
])("after an answer of %s with %s it is tried again: %s", (status, body, isTried) => {
  expect(mayPass(status, body)).toBe(isTried);
});

test.each([
  [422, "unusable"],
  [413, "unusable"],
  [404, "not_found"],
  [409, "wrong_state"],
  [401, "refused"],
  [507, "refused"],
])("an upload that ends with %s is %s", (status, reason) => {
  expect(failureOf(status)).toBe(reason);
});

const NOTHING: UploadEvents = { located: () => undefined, progress: () => undefined, waiting: () => undefined };
const EARLIER = "/api/v1/uploads/earlier";
const HAS_VIDEO = new PageError("wrong_state", "this acquisition has video already");
const NO_UPLOAD = new PageError("not_found", "there is no upload of that id");

/** The upload fails so; what the server says of the acquisition then. */
function delivery(failure: PageError, told: Partial<Acquisition> | PageError, url: string | null = EARLIER) {
  const job = { file: new File(["video"], "cells.mp4"), acquisitionId: "abc", url };
  return deliver(job, NOTHING, new AbortController().signal, {
    send: () => Promise.reject(failure),
    ask: async (id) => {
      if (told instanceof PageError) throw told;
      return acquisitionWith({ id, ...told });
    },
  });
}

test.each([
  ["is refused as the acquisition has video", HAS_VIDEO],
  ["is not known any more", NO_UPLOAD],
])("an upload that %s has succeeded, if the acquisition has its file", async (_, failure) => {
  await expect(delivery(failure, { state: "finished", video_from: "file" })).resolves.toBeUndefined();
  await expect(delivery(failure, { state: "failed", video_from: "file" })).resolves.toBeUndefined();
});

test.each<[string, Partial<Acquisition>, string | null]>([
  ["a phone has filmed for it", { state: "receiving", video_from: "phone" }, EARLIER],
  ["nothing has come", { state: "waiting" }, EARLIER],
  ["the file was lost on its way", { state: "waiting", video_from: "file" }, EARLIER],
  ["it was cancelled", { state: "cancelled", video_from: "file" }, EARLIER],
  ["nothing of this file was ever sent", { state: "finished", video_from: "file" }, null],
])("an upload to an acquisition is refused if %s", async (_, told, url) => {
  await expect(delivery(HAS_VIDEO, told, url)).rejects.toBe(HAS_VIDEO);
});

test("what the file itself is refused for stays a refusal, whatever the acquisition has", async () => {
  const failure = new PageError("unusable", "this is no video");
  await expect(delivery(failure, { state: "finished", video_from: "file" })).rejects.toBe(failure);
});

test("an acquisition that was deleted meanwhile is told as such", async () => {
  const gone = new PageError("not_found", "no acquisition has that id");
  await expect(delivery(HAS_VIDEO, gone)).rejects.toBe(gone);
});

test("where an upload began now, its end may go unheard too", async () => {
  const located: string[] = [];
  const job = { file: new File(["video"], "cells.mp4"), acquisitionId: "abc", url: null };
  await deliver(job, { ...NOTHING, located: (url) => void located.push(url) }, new AbortController().signal, {
    send: async (_, events) => {
      events.located("/api/v1/uploads/new");
      throw HAS_VIDEO;
    },
    ask: async () => acquisitionWith({ state: "processing", video_from: "file" }),
  });
  expect(located).toEqual(["/api/v1/uploads/new"]);
});
