/**
 * Where in the page one is: the fragment of the address, which browsers send to no server.
 *
 * A key in a link (`#token=…`) is not a place: it is exchanged for a cookie at once and taken out of the address.
 */
export type Place =
  | { page: "start" }
  | { page: "join"; code: string | null }
  | { page: "film"; id: string | null }
  | { page: "view"; id: string }
  | { page: "compare"; first: string; second: string }
  | { page: "sample" }
  | { page: "wall" }
  | { page: "record" }
  | { page: "recordings" }
  | { page: "local"; recording: string | null }
  | { page: "guide" };

export type PageName = Place["page"];

/** Null where the fragment leads nowhere. */
export function placeOf(fragment: string): Place | null {
  const [name = "", argument = "", another = ""] = fragment.replace(/^#\/?/, "").split("/", 3);
  const given = decoded(argument);
  switch (name) {
    case "":
      return { page: "start" };
    case "join":
      return { page: "join", code: given };
    case "film":
      return { page: "film", id: given };
    case "local":
      return { page: "local", recording: given };
    case "view":
      return given === null ? null : { page: "view", id: given };
    case "compare":
      return comparisonOf(given, decoded(another));
    case "sample":
    case "wall":
    case "record":
    case "recordings":
    case "guide":
      return { page: name };
    default:
      return null;
  }
}

/** The fragment that leads to a place. */
export function fragmentOf(place: Place): string {
  switch (place.page) {
    case "start":
      return "#/";
    case "join":
      return place.code === null ? "#/join" : `#/join/${encodeURIComponent(place.code)}`;
    case "film":
      return place.id === null ? "#/film" : `#/film/${encodeURIComponent(place.id)}`;
    case "local":
      return place.recording === null ? "#/local" : `#/local/${encodeURIComponent(place.recording)}`;
    case "view":
      return `#/view/${encodeURIComponent(place.id)}`;
    case "compare":
      return `#/compare/${encodeURIComponent(place.first)}/${encodeURIComponent(place.second)}`;
    default:
      return `#/${place.page}`;
  }
}

/** What a link like `#token=…` or `#/view/ID?token=…` carries besides its place; null in all others. */
export function tokenOf(fragment: string): { token: string; place: Place | null } | null {
  const [path = "", query = ""] = fragment.includes("?") ? fragment.split("?", 2) : ["", fragment.replace(/^#/, "")];
  const token = new URLSearchParams(query).get("token");
  return token === null || token === "" ? null : { token, place: placeOf(path) };
}

function comparisonOf(first: string | null, second: string | null): Place | null {
  return first === null || second === null ? null : { page: "compare", first, second };
}

function decoded(argument: string): string | null {
  if (argument === "") return null;
  try {
    return decodeURIComponent(argument);
  } catch (error) {
    if (error instanceof URIError) return argument;
    throw error;
  }
}
