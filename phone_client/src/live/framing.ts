/** Cuts an answer of messages, each with its length before it (uint32, little-endian), as pieces of it arrive. */
const LENGTH_BYTES = 4;
/** Ten times what the server sends: an answer of something else is noticed before memory is taken for it. */
const LARGEST_BYTES = 4_000_000;

/** What is being filled, and how far it is. */
interface Part {
  readonly bytes: Uint8Array<ArrayBuffer>;
  filled: number;
}

export class Unframer {
  #length = part(LENGTH_BYTES);
  #message: Part | null = null; // while its length arrives

  /** The messages that a piece completes, each in memory of its own. */
  *take(piece: Uint8Array): Generator<ArrayBuffer> {
    for (let place = 0; place < piece.length;) {
      const wanted = this.#message ?? this.#length;
      place += fill(wanted, piece, place);
      if (wanted.filled < wanted.bytes.length) return;
      if (this.#message !== null) {
        this.#message = null;
        this.#length = part(LENGTH_BYTES);
        yield wanted.bytes.buffer;
        continue;
      }
      const bytes = new DataView(wanted.bytes.buffer).getUint32(0, true);
      if (bytes === 0 || bytes > LARGEST_BYTES) throw new Error("an answer that is not one of messages");
      this.#message = part(bytes);
    }
  }
}

function part(bytes: number): Part {
  return { bytes: new Uint8Array(bytes), filled: 0 };
}

/** How many bytes of a piece, from `place` on, went in. */
function fill(wanted: Part, piece: Uint8Array, place: number): number {
  const taken = piece.subarray(place, place + wanted.bytes.length - wanted.filled);
  wanted.bytes.set(taken, wanted.filled);
  wanted.filled += taken.length;
  return taken.length;
}
