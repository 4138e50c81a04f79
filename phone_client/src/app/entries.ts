/** One entry of the page for each acquisition that is to be seen, in their order; one that stays keeps its focus and its picture. */
import type { Acquisition } from "../generated/models";

export interface Entry {
  readonly root: HTMLElement;
  show(acquisition: Acquisition): void;
  leave(): void;
}

/** Takes away, adds and orders the `entries` within `place` such that they fit `wanted`. */
export function keepEntries(
  entries: Map<string, Entry>,
  place: HTMLElement,
  wanted: readonly Acquisition[],
  make: (acquisition: Acquisition) => Entry,
): void {
  const ids = new Set(wanted.map((each) => each.id));
  for (const [id, entry] of entries) {
    if (ids.has(id)) continue;
    entry.leave();
    entries.delete(id);
  }
  wanted.forEach((acquisition, index) => {
    const entry = entries.get(acquisition.id) ?? make(acquisition);
    entries.set(acquisition.id, entry);
    entry.show(acquisition);
    if (place.children[index] !== entry.root) place.insertBefore(entry.root, place.children[index] ?? null);
  });
}
