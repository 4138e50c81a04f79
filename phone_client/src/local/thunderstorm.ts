/** The table as ThunderSTORM's CSV, as the server writes it: frames from 1, pixel (0, 0) centred half a pixel from the origin. */
import { THUNDERSTORM_HEADER } from "../generated/tables";
import type { Rows } from "../live/messages";

/** Text in pieces, as a Blob takes them. */
export function thunderstormCsv(tables: readonly Rows[], pixelSizeNm: number): string[] {
  const pieces = [`${THUNDERSTORM_HEADER.map((name) => `"${name}"`).join(",")}\n`];
  let id = 1;
  for (const rows of tables) {
    const lines: string[] = [];
    for (let row = 0; row < rows.count; row++) lines.push(line(rows, row, id++, pixelSizeNm));
    pieces.push(lines.join(""));
  }
  return pieces;
}

function line(rows: Rows, row: number, id: number, pixelSizeNm: number): string {
  const background = rows.background_photons[row]!;
  const values = [
    rows.x_nm[row]! + pixelSizeNm / 2,
    rows.y_nm[row]! + pixelSizeNm / 2,
    rows.psf_sigma_nm[row]!,
    rows.photons[row]!,
    background,
    Math.sqrt(Math.max(background, 0)), // photons obey Poisson
    rows.precision_nm[row]!,
  ];
  return `${id},${rows.frame[row]! + 1},${values.map((value) => value.toFixed(3)).join(",")}\n`;
}
