/** Whether a code on the screen still opens something for whoever scans it now. */
import type { JoinCode } from "../generated/models";

/** Who scans a code needs a moment until it is sent. */
const MARGIN_MS = 15_000;

export function isSpent(code: Pick<JoinCode, "uses_left" | "expires_at">, nowMs: number): boolean {
  return code.uses_left <= 0 || Date.parse(code.expires_at) - nowMs < MARGIN_MS;
}
