/** One entry of the page for each thing that is to be seen, in their order; one that stays keeps its focus and its picture. */
import type { Acquisition } from "../generated/models";

export interface Entry<Item = Acquisition> {
  readonly root: HTMLElement;
  show(item: Item): void;
  leave(): void;
}

/** Takes away, adds and orders the `entries` within `place` such that they fit `wanted`. */
export function keepEntries<Item extends { readonly id: string }>(
  entries: Map<string, Entry<Item>>,
  place: HTMLElement,
  wanted: readonly Item[],
  make: (item: Item) => Entry<Item>,
): void {
  const ids = new Set(wanted.map((each) => each.id));
  for (const [id, entry] of entries) {
    if (ids.has(id)) continue;
    entry.leave();
    entries.delete(id);
  }
  wanted.forEach((item, index) => {
    const entry = entries.get(item.id) ?? make(item);
    entries.set(item.id, entry);
    entry.show(item);
    if (place.children[index] !== entry.root) place.insertBefore(entry.root, place.children[index] ?? null);
  });
}
