/** How bright two images are: equally bright where they hold equally many localizations per area, or each by itself. */
export type Index = 0 | 1;

/** A change of the other image that is not worth colouring this one anew. */
const STEP = 0.05;

export class CommonBrightness {
  readonly #own: [number, number] = [0, 0];
  #isCommon = true;

  /** `brighten` has an image ask again. */
  constructor(private readonly brighten: (index: Index) => void) {}

  set isCommon(isCommon: boolean) {
    if (isCommon === this.#isCommon) return;
    this.#isCommon = isCommon;
    this.brighten(0);
    this.brighten(1);
  }

  /** What is brightest in an image that would choose `own` by itself; localizations per nm². */
  of(index: Index, own: number): number {
    const before = this.#common;
    this.#own[index] = own;
    if (!this.#isCommon) return own;
    if (Math.abs(this.#common - before) > STEP * before) this.brighten(index === 0 ? 1 : 0);
    return this.#common;
  }

  get #common(): number {
    return Math.max(...this.#own);
  }
}
