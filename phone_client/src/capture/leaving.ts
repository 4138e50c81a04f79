/** While it films, nobody leaves the place by a stray touch: neither by its links nor by the browser's way back. */
export interface LeavingParts {
  /** Whether something would be cut off. */
  isBusy(): boolean;
  /** Ends it, if the person means it; whether the place may be left now. */
  end(): Promise<boolean>;
}

export interface Leaving {
  /** From here on the way back leads to the same address once more, and is heard. Browsers want a press before it. */
  hold(): void;
}

const HELD = "held";

export function askBeforeLeaving(root: HTMLElement, { isBusy, end }: LeavingParts, signal: AbortSignal): Leaving {
  let isHeld = history.state === HELD; // come back to, or loaded anew
  let heldAt = location.hash;
  let isAsking = false;
  const hold = () => {
    if (!isHeld) history.pushState(HELD, "");
    isHeld = true;
    heldAt = location.hash;
  };
  const endThen = async (leave: () => void) => {
    if (isAsking) return;
    isAsking = true;
    const mayLeave = await end().finally(() => (isAsking = false));
    if (mayLeave && !signal.aborted) leave();
  };
  const onPress = (event: MouseEvent) => {
    const link = event.target instanceof Element ? event.target.closest<HTMLAnchorElement>('a[href^="#"]') : null;
    if (link === null || !isBusy()) return;
    event.preventDefault();
    void endThen(() => (location.hash = link.hash));
  };
  const onMove = () => {
    if (!isHeld || location.hash !== heldAt) return; // on to another place
    isHeld = false;
    if (!isBusy()) {
      history.back();
      return;
    }
    hold();
    void endThen(() => history.back());
  };
  root.addEventListener("click", onPress, { signal });
  globalThis.addEventListener("popstate", onMove, { signal });
  return { hold };
}
