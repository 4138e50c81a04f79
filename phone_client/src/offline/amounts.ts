/** Sizes, lengths and rates as people read them. */
const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte"] as const;

export function size(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytes)) / 3)));
  const value = bytes / 1000 ** power;
  const maximumFractionDigits = value < 10 && power > 0 ? 1 : 0;
  return value.toLocaleString([], { style: "unit", unit: UNITS[power]!, unitDisplay: "short", maximumFractionDigits });
}

/** Minutes and seconds; hours where there are any. */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number) => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

export function rate(bytesPerS: number | null): string {
  return bytesPerS === null ? "" : `${size(bytesPerS)}/s`;
}
