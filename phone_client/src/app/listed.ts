/** A list of the server's that stays as it is there, while the page is looked at. */
import { sleep } from "./backoff";

export interface Listing<T> {
  load: (signal: AbortSignal) => Promise<T>;
  show: (loaded: T) => void;
  /** What went wrong; null as soon as it is right again. */
  complain: (problem: unknown) => void;
  everyMs: number;
}

/** Until the signal is aborted; a server that is away is asked again. */
export async function keepListed<T>({ load, show, complain, everyMs }: Listing<T>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      const loaded = await load(signal);
      if (signal.aborted) return;
      show(loaded);
      complain(null);
    } catch (error) {
      if (signal.aborted) return;
      complain(error);
    }
    await sleep(everyMs, signal).catch(() => undefined); // aborted: the loop ends
    if (document.hidden) await seen(signal);
  }
}

/** Resolves when the page is looked at again. */
function seen(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    document.addEventListener("visibilitychange", () => resolve(), { once: true, signal });
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
