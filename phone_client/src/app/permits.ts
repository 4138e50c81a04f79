/** Which places a session opens. */
import type { Place } from "./places";
import type { Grant } from "../generated/models";
import type { Session } from "./session";

/** Places that mean something without a server, or before it knows this browser. */
export function isOpenToAll(place: Place): boolean {
  return ["join", "record", "recordings", "local", "guide"].includes(place.page);
}

export function permits(session: Pick<Session, "may">, place: Place): boolean {
  switch (place.page) {
    case "start":
    case "wall":
      return session.may("watch");
    case "sample":
      return session.may("film");
    case "film":
      return session.may("film", place.id);
    case "view":
      return session.may("watch", place.id);
    case "compare":
      return session.may("watch", place.first) && session.may("watch", place.second);
    default:
      return true;
  }
}

/** Where somebody wants to be who has just been granted something; the newest grant comes last. */
export function firstPlace(grants: readonly Grant[]): Place {
  const newest = grants.at(-1);
  if (newest === undefined || newest.right === "manage") return { page: "start" };
  const { right, acquisition_id: id } = newest;
  if (right === "film") return { page: "film", id };
  return id === null ? { page: "wall" } : { page: "view", id };
}
