/** A phone films for minutes without being touched: its screen stays on meanwhile. */

/** Until the signal is aborted. Browsers let go of it whenever the page is hidden; it is asked for again then. */
export function keepScreenOn(signal: AbortSignal): void {
  const wakeLock = navigator.wakeLock as WakeLock | undefined;
  if (wakeLock === undefined) return;
  let held: WakeLockSentinel | null = null;
  const ask = async () => {
    if (signal.aborted || document.hidden || (held !== null && !held.released)) return;
    try {
      const lock = await wakeLock.request("screen");
      if (signal.aborted) await lock.release();
      else held = lock;
    } catch (error) {
      // Refused, as at low battery: filming goes on, and the screen may turn off.
      if (!(error instanceof DOMException)) throw error;
    }
  };
  document.addEventListener("visibilitychange", () => void ask(), { signal });
  signal.addEventListener("abort", () => void held?.release(), { once: true });
  void ask();
}
