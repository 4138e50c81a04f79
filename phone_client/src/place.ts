/**
 * Where in the page one is, and with which token.
 *
 * A link carries its token in the fragment, which browsers send to no server: `#token=ADMIN` or
 * `#acquisition=ID&token=TOKEN`. It is read once, kept for this tab, and taken out of the address bar.
 */
export type Place = { page: "start" } | { page: "acquisition"; id: string };

/** Of the tab, e.g. sessionStorage. */
export type Keep = Pick<Storage, "getItem" | "setItem">;

const ADMIN = "cellstorm.token";

function keyOf(place: Place): string {
  return place.page === "start" ? ADMIN : `${ADMIN}.${place.id}`;
}

export function placeOf(fragment: string): Place {
  const id = new URLSearchParams(fragment.replace(/^#/, "")).get("acquisition");
  return id === null || id === "" ? { page: "start" } : { page: "acquisition", id };
}

/** The fragment that leads to a place, without its token. */
export function fragmentOf(place: Place): string {
  return place.page === "start" ? "" : `#acquisition=${encodeURIComponent(place.id)}`;
}

/** The fragment's place; a token in it is kept, and `hadToken` says that the address bar must be cleaned. */
export function enter(fragment: string, keep: Keep): { place: Place; hadToken: boolean } {
  const place = placeOf(fragment);
  const token = new URLSearchParams(fragment.replace(/^#/, "")).get("token");
  if (token === null) return { place, hadToken: false };
  keepToken(place, token, keep);
  return { place, hadToken: true };
}

export function keepToken(place: Place, token: string, keep: Keep): void {
  keep.setItem(keyOf(place), token);
}

/** The acquisition's own token where there is one, else the admin's; null without either. */
export function tokenFor(place: Place, keep: Keep): string | null {
  return keep.getItem(keyOf(place)) ?? keep.getItem(ADMIN);
}

export function hasAdminToken(keep: Keep): boolean {
  return keep.getItem(ADMIN) !== null;
}

/** A link that opens the acquisition on another device; null where only the admin's token is here, which is not shared. */
export function sharedLink(id: string, base: string, keep: Keep): string | null {
  const place: Place = { page: "acquisition", id };
  const token = keep.getItem(keyOf(place));
  return token === null ? null : `${base}${fragmentOf(place)}&token=${encodeURIComponent(token)}`;
}
