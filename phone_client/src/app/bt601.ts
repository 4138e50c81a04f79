/** Luma of 8-bit sRGB values as ITU-R BT.601 has it, as video does: 16 is black, 235 is white. */
export function lumaOfColours(red: number, green: number, blue: number): number {
  return Math.round(16 + (65.481 * red + 128.553 * green + 24.966 * blue) / 255);
}
