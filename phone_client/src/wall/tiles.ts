/** Which acquisitions hang on the wall, in which order, and how large their tiles are. */
import type { Acquisition } from "../generated/models";

const MOST_TILES = 60;
const WAITING_FOR_MS = 3_600_000;

const RANKS: Record<Acquisition["state"], number> = {
  receiving: 0,
  processing: 1,
  waiting: 2,
  finished: 3,
  cancelled: 4,
  failed: 4,
};

/** Running ones first, then the newest; without what never came to anything. */
export function onTheWall(acquisitions: readonly Acquisition[], nowMs: number): Acquisition[] {
  return acquisitions
    .filter((each) => isWorthShowing(each, nowMs))
    .sort((a, b) => RANKS[a.state] - RANKS[b.state] || Date.parse(b.created_at) - Date.parse(a.created_at))
    .slice(0, MOST_TILES);
}

function isWorthShowing({ state, localizations, created_at }: Acquisition, nowMs: number): boolean {
  if (state === "failed" || state === "cancelled") return localizations > 0;
  return state !== "waiting" || nowMs - Date.parse(created_at) < WAITING_FOR_MS;
}

export interface Layout {
  readonly columns: number;
  readonly sidePx: number;
}

const GAP_PX = 12;
const LEAST_SIDE_PX = 150;

/** Square tiles as large as they can be with all of them in sight; where they would be too small, the wall scrolls. */
export function layoutFor(count: number, widthPx: number, heightPx: number): Layout {
  const most = Math.max(1, Math.floor((widthPx + GAP_PX) / (LEAST_SIDE_PX + GAP_PX)));
  let best: Layout = { columns: most, sidePx: (widthPx - (most - 1) * GAP_PX) / most };
  for (let columns = most; columns >= 1; columns--) {
    const rows = Math.ceil(Math.max(count, 1) / columns);
    const sidePx = Math.min((widthPx - (columns - 1) * GAP_PX) / columns, (heightPx - (rows - 1) * GAP_PX) / rows);
    if (sidePx >= LEAST_SIDE_PX && sidePx >= best.sidePx) best = { columns, sidePx };
  }
  return { columns: best.columns, sidePx: Math.floor(best.sidePx) };
}
