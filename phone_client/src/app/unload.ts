/** While something would be lost with the tab, closing or reloading it is asked first, in the browser's own words. */

/** Until it is aborted. */
export function askBeforeUnload(signal: AbortSignal): void {
  globalThis.addEventListener("beforeunload", (event) => event.preventDefault(), { signal });
}
