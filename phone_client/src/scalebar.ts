/** The length of a scale bar and its label. */

/** From the series 1, 2, 5, 10, … nm, the length nearest to a fifth of the width, by ratio. */
export function scaleBarNm(widthNm: number): number {
  const wanted = Math.max(widthNm / 5, 1);
  const decade = 10 ** Math.floor(Math.log10(wanted));
  const distance = (length: number) => Math.abs(Math.log(length / wanted));
  return [1, 2, 5, 10]
    .map((step) => step * decade)
    .reduce((best, next) => (distance(next) < distance(best) ? next : best));
}

export function lengthLabel(lengthNm: number): string {
  return lengthNm < 1000 ? `${lengthNm} nm` : `${lengthNm / 1000} µm`;
}
