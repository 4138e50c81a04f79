/** Pictures of the whole field that the server makes, fetched again while frames come and somebody looks. */
import { PageError } from "../app/errors";
import type { Acquisition } from "../generated/models";

export interface FieldPicture {
  readonly root: HTMLElement;
  show(acquisition: Acquisition): void;
  /** While it is not seen, nothing is fetched. */
  setSeen(isSeen: boolean): void;
}

/** Fetches a picture again while frames come and somebody sees it. */
export function fetched(
  root: HTMLElement,
  image: HTMLImageElement,
  everyMs: number,
  signal: AbortSignal,
  fetchIt: () => Promise<{ picture: Blob; after: () => void } | null>,
): FieldPicture {
  let wanted = 0; // frames that the newest picture should hold
  let shown = 0;
  let isBusy = false;
  let url: string | null = null;
  const refresh = async () => {
    if (root.hidden || document.hidden || isBusy || wanted === shown) return;
    isBusy = true;
    try {
      const asked = wanted;
      const found = await fetchIt();
      shown = asked;
      if (found === null) return;
      const old = url;
      url = URL.createObjectURL(found.picture);
      image.src = url;
      await image.decode();
      if (old !== null) URL.revokeObjectURL(old);
      found.after();
    } catch (error) {
      // The connection's state is told elsewhere; the old picture stays.
      if (!signal.aborted && !(error instanceof PageError) && !(error instanceof DOMException)) throw error;
    } finally {
      isBusy = false;
    }
  };
  const timer = setInterval(() => void refresh(), everyMs);
  signal.addEventListener("abort", () => {
    clearInterval(timer);
    if (url !== null) URL.revokeObjectURL(url);
  });
  return {
    root,
    show: (acquisition) => {
      wanted = acquisition.frames_processed;
    },
    setSeen: (isSeen) => {
      root.hidden = !isSeen;
      void refresh();
    },
  };
}
