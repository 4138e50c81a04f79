/** Frames of a camera or of a file, as luma, in the order in which they were filmed. */
import { ALL_FORMATS, BlobSource, EncodedPacketSink, Input, type InputVideoTrack, VideoSampleSink } from "mediabunny";

import { PageError } from "../app/errors";
import { texts } from "../app/texts";
import { ChunkStarts } from "./chunk_starts";
import { type Region, centred, lumaOf, turned } from "./luma";

export interface LumaFrame {
  /** (height * width) of the region. */
  readonly counts: Uint8Array;
  readonly region: Region;
  readonly beginsChunk: boolean;
}

/** All frames of a recorded video; whether one begins a chunk is as the server cuts it. */
export async function* fileFrames(file: Blob, sidePx: number): AsyncGenerator<LumaFrame> {
  const input = new Input({ source: new BlobSource(file), formats: ALL_FORMATS });
  try {
    const track = await videoTrackOf(input);
    const keys = await keyTimes(track);
    const starts = new ChunkStarts(track.codedWidth * track.codedHeight, track.codec === "avc");
    for await (const sample of new VideoSampleSink(track).samples()) {
      const beginsChunk = starts.isNext(keys.has(sample.microsecondTimestamp));
      const frame = sample.toVideoFrame();
      sample.close();
      yield await lumaFrame(frame, sidePx, beginsChunk, track.rotation / 90);
    }
  } finally {
    input.dispose();
  }
}

/** Frames of a camera as long as it films; those that nobody takes in time are gone. One chunk: nothing is cut. */
export async function* cameraFrames(frames: ReadableStream<VideoFrame>, sidePx: number): AsyncGenerator<LumaFrame> {
  let beginsChunk = true;
  for await (const frame of readable(frames)) {
    yield await lumaFrame(frame, sidePx, beginsChunk);
    beginsChunk = false;
  }
}

/** Turned clockwise by so many quarters. Closes the frame: it holds memory that the browser has little of. */
export async function lumaFrame(
  frame: VideoFrame,
  sidePx: number,
  beginsChunk: boolean,
  quarterTurns = 0,
): Promise<LumaFrame> {
  try {
    const visible = frame.visibleRect ?? new DOMRect(0, 0, frame.codedWidth, frame.codedHeight);
    const region = centred(sidePx, visible);
    const counts = await lumaOf(frame, region);
    return { ...turned(counts, region, visible, quarterTurns), beginsChunk };
  } finally {
    frame.close();
  }
}

async function* readable(frames: ReadableStream<VideoFrame>): AsyncGenerator<VideoFrame> {
  const reader = frames.getReader();
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel();
  }
}

async function videoTrackOf(input: Input): Promise<InputVideoTrack> {
  const track = await primaryTrackOf(input);
  if (track === null || !(await track.canDecode())) throw new PageError("no_codec", texts.problems.noVideoFile);
  return track;
}

/** Its reader throws whatever it stumbles over in a file that is none. */
async function primaryTrackOf(input: Input): Promise<InputVideoTrack | null> {
  try {
    return (await input.canRead()) ? await input.getPrimaryVideoTrack() : null;
  } catch (cause) {
    throw new PageError("no_codec", texts.problems.noVideoFile, { cause });
  }
}

/** Times of the key frames, in microseconds. */
async function keyTimes(track: InputVideoTrack): Promise<Set<number>> {
  const times = new Set<number>();
  for await (const packet of new EncodedPacketSink(track).packets(undefined, undefined, { metadataOnly: true })) {
    if (packet.type === "key") times.add(packet.microsecondTimestamp);
  }
  return times;
}
