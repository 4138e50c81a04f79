/** The service worker that keeps the page's own files, so that what is kept on this device opens without a network. */

/** Does nothing where the browser has no service workers, as on plain http, or while the page is being developed. */
export function keepInstalled(): void {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  // After everything else: the first visit is in a hurry to film.
  window.addEventListener("load", () => void register(), { once: true });
}

async function register(): Promise<void> {
  try {
    await navigator.serviceWorker.register("/service-worker.js");
  } catch (error) {
    // A certificate that the browser only tolerates, or a private window: the page works, but not without a network.
    if (!(error instanceof DOMException) && !(error instanceof TypeError)) throw error;
  }
}
