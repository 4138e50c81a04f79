/** Which module shows which place; each is loaded when it is first wanted. */
import type { Show } from "./page";
import type { PageName } from "./places";

export const MODULES: Readonly<Record<PageName, () => Promise<{ show: Show }>>> = {
  start: () => import("../start/start"),
  join: () => import("../join/join"),
  film: () => import("../capture/film"),
  view: () => import("../viewer/viewer"),
  compare: () => import("../compare/compare"),
  sample: () => import("../sample/sample"),
  wall: () => import("../wall/wall"),
  record: () => import("../capture/record"),
  recordings: () => import("../offline/recordings"),
  local: () => import("../local/local"),
  guide: () => import("../guide/guide"),
};
