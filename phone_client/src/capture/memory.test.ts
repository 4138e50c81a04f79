import { expect, test } from "vitest";
import { CaptureMemory } from "./memory";

class FakeStorage {
  readonly items = new Map<string, string>();
  isFull = false;
  getItem = (key: string) => this.items.get(key) ?? null;
  setItem = (key: string, value: string) => {
    if (this.isFull) throw new DOMException("full", "QuotaExceededError");
    this.items.set(key, value);
  };
}

test("each camera's settings are found again, by another visit", () => {
  const storage = new FakeStorage();
  const square = { x: 2, y: 4, side: 256 };
  new CaptureMemory(storage).setCamera("back", { square });
  new CaptureMemory(storage).setCamera("back", { chosen: { iso: 400 } });
  new CaptureMemory(storage).setCamera("front", { preset: "dim" });
  expect(new CaptureMemory(storage).camera("back")).toEqual({ square, preset: "dstorm", chosen: { iso: 400 } });
  expect(new CaptureMemory(storage).camera("front").preset).toBe("dim");
  expect(new CaptureMemory(storage).camera("wide").square).toBeNull();
});

test("camera and acquisition are remembered beside each other", () => {
  const memory = new CaptureMemory(new FakeStorage());
  expect([memory.deviceId, memory.acquisition]).toEqual([null, null]);
  memory.deviceId = "abc";
  memory.acquisition = { name: "Actin", pixelSizeNm: 120, model: null };
  expect([memory.deviceId, memory.acquisition?.pixelSizeNm]).toEqual(["abc", 120]);
});

test("rubbish and a full store are as good as nothing", () => {
  const storage = new FakeStorage();
  storage.setItem("cellstorm.capture.1", "{");
  const memory = new CaptureMemory(storage);
  expect(memory.deviceId).toBeNull();
  storage.isFull = true;
  memory.deviceId = "abc";
  expect(memory.deviceId).toBeNull();
});
