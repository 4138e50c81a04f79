/** While something would be lost with the tab, closing or reloading it is asked first. */

/** Until it is called: the browser asks, in its own words. */
export function askBeforeUnload(): () => void {
  const ask = (event: BeforeUnloadEvent) => event.preventDefault();
  globalThis.addEventListener("beforeunload", ask);
  return () => globalThis.removeEventListener("beforeunload", ask);
}
