import { expect, test } from "vitest";
import { CameraLocks, type Lockable, dstormPreset } from "./locks";

/** A camera that does what it is told within its limits, as Chrome's on Android does. */
class FakeTrack implements Lockable {
  settings: Record<string, unknown> = {
    exposureMode: "continuous",
    exposureTime: 83,
    iso: 120,
    focusMode: "continuous",
    focusDistance: 0.3,
    whiteBalanceMode: "continuous",
    colorTemperature: 4100,
    zoom: 2,
    torch: true,
    frameRate: 30,
  };
  capabilities: Record<string, unknown> = {
    exposureMode: ["continuous", "manual"],
    exposureTime: { min: 1, max: 1000, step: 1 },
    iso: { min: 50, max: 640, step: 10 },
    focusMode: ["manual", "continuous"],
    focusDistance: { min: 0.1, max: 4, step: 0.1 },
    whiteBalanceMode: ["manual", "continuous"],
    colorTemperature: { min: 2850, max: 7000, step: 50 },
    zoom: { min: 1, max: 8, step: 0.1 },
    torch: true,
  };
  refuses: string[] = [];
  ignores: string[] = [];
  asked: MediaTrackConstraints[] = [];

  getCapabilities = () => this.capabilities;
  getSettings = () => this.settings;
  applyConstraints = async (constraints: MediaTrackConstraints) => {
    this.asked.push(constraints);
    const advanced = (constraints.advanced?.[0] ?? {}) as Record<string, unknown>;
    if (this.refuses.some((name) => name in advanced)) throw new DOMException("no", "NotSupportedError");
    for (const [name, value] of Object.entries(advanced)) if (!this.ignores.includes(name)) this.settings[name] = value;
    const rate = constraints.frameRate as { ideal: number } | undefined;
    if (rate !== undefined) this.settings["frameRate"] = rate.ideal;
  };
}

const preset = (locks: CameraLocks) => dstormPreset(locks, 33, 800);

test("a camera that can be held is held, within its limits", async () => {
  const track = new FakeTrack();
  const locks = new CameraLocks(track);
  const held = await locks.hold(preset(locks));
  expect(Object.values(held).map((lock) => lock.state)).toEqual(new Array(7).fill("locked"));
  expect(held.exposure_time).toEqual({ state: "locked", value: 330 });
  expect(held.iso).toEqual({ state: "locked", value: 640 });
  expect(held.focus).toEqual({ state: "locked", value: 4 });
  expect(held.zoom).toEqual({ state: "locked", value: 1 });
  expect(held.torch).toEqual({ state: "locked", value: 0 });
  expect(held.white_balance).toEqual({ state: "locked", value: 4100 });
});

test("each constraint is asked for by itself, and all that were accepted go on being asked for", async () => {
  const track = new FakeTrack();
  const locks = new CameraLocks(track, { width: { ideal: 1920 } });
  await locks.hold(preset(locks));
  const sizes = track.asked.map((each) => Object.keys(each.advanced?.[0] ?? {}).length);
  for (let at = 1; at < sizes.length; at++) expect(sizes[at]! - sizes[at - 1]!).toBeLessThanOrEqual(1);
  expect(track.asked.at(-1)).toMatchObject({ width: { ideal: 1920 }, advanced: [{ exposureTime: 330, iso: 640 }] });
});

test("what is refused leaves the rest locked", async () => {
  const track = new FakeTrack();
  track.refuses = ["iso"];
  const locks = new CameraLocks(track);
  const held = await locks.hold(preset(locks));
  expect(held.iso).toEqual({ state: "not_available", value: 120 });
  expect(held.exposure_time.state).toBe("locked");
  expect(held.focus.state).toBe("locked");
});

test("what the browser accepts and does not do is told as drifting", async () => {
  const track = new FakeTrack();
  track.ignores = ["exposureTime"];
  const locks = new CameraLocks(track);
  expect((await locks.hold(preset(locks))).exposure_time).toEqual({ state: "drifting", value: 83, wanted: 330 });
});

test("a value that changes later drifts, and so does a mode that turns automatic again", async () => {
  const track = new FakeTrack();
  const locks = new CameraLocks(track);
  await locks.hold(preset(locks));
  track.settings["exposureTime"] = 300;
  track.settings["focusMode"] = "continuous";
  expect(locks.read().exposure_time).toEqual({ state: "drifting", value: 300, wanted: 330 });
  expect(locks.read().focus.state).toBe("drifting");
  expect(locks.read().iso.state).toBe("locked");
});

test("a browser without capabilities has nothing to lock but the frame rate", async () => {
  const track = new FakeTrack();
  const bare: Lockable = { getSettings: () => ({ frameRate: 30 }), applyConstraints: track.applyConstraints };
  const locks = new CameraLocks(bare);
  const held = await locks.hold(preset(locks));
  expect(held.exposure_time).toEqual({ state: "not_available", value: null });
  expect(held.torch).toEqual({ state: "not_available", value: null });
  expect(held.frame_rate.state).toBe("locked");
  expect(locks.range("exposure_time")).toBeNull();
});

test("a camera that is slower than the preset is held at its own rate", async () => {
  const track = new FakeTrack();
  track.capabilities["frameRate"] = { min: 0, max: 20 };
  const locks = new CameraLocks(track);
  expect((await locks.hold(preset(locks))).frame_rate).toEqual({ state: "locked", value: 20 });
});

test("an exposure can be chosen anew", async () => {
  const locks = new CameraLocks(new FakeTrack());
  await locks.hold(preset(locks));
  expect((await locks.hold({ exposure_time: 500 })).exposure_time).toEqual({ state: "locked", value: 500 });
  expect(locks.range("exposure_time")).toEqual({ min: 1, max: 1000, step: 1 });
});
