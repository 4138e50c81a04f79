/** What has become of the code on the screen. */
import type { JoinCode } from "../generated/models";

/** Who scans a code needs a moment until it is sent. */
const MARGIN_MS = 15_000;

/** Whether it opens nothing any more for whoever scans it now. */
export function isSpent(code: Pick<JoinCode, "uses_left" | "expires_at">, nowMs: number): boolean {
  return code.uses_left <= 0 || Date.parse(code.expires_at) - nowMs < MARGIN_MS;
}

/** Whether somebody has joined by a code since it was `shown`; one that has expired (null) does not tell. */
export function wasUsed(shown: Pick<JoinCode, "uses_left">, known: Pick<JoinCode, "uses_left"> | null): boolean {
  return known !== null && known.uses_left < shown.uses_left;
}
