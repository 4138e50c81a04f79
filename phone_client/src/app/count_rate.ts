/** How fast a counter grows, over the last while: frames localized, bytes sent. */
export class CountRate {
  #marks: { count: number; atMs: number }[] = [];

  constructor(private readonly overMs: number) {}

  add(count: number, nowMs: number): void {
    this.#marks.push({ count, atMs: nowMs });
    while (this.#marks.length > 2 && nowMs - this.#marks[0]!.atMs > this.overMs) this.#marks.shift();
  }

  /** Null while there is nothing to tell from. */
  get perS(): number | null {
    const [first, last] = [this.#marks[0], this.#marks.at(-1)];
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return null;
    return (1000 * (last.count - first.count)) / (last.atMs - first.atMs);
  }
}
