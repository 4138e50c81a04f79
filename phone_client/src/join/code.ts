/** Codes as people type or paste them; the server forgives case, gaps and look-alikes. */

const BEFORE = "#/join/";

/** Also from a whole joining address. */
export function codeIn(typed: string): string {
  const start = typed.indexOf(BEFORE);
  return (start < 0 ? typed : typed.slice(start + BEFORE.length)).trim();
}
