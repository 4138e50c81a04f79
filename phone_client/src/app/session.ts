/**
 * What this browser may do. The key itself is a cookie that no script can read; here is only what it opens.
 *
 * A grant without an acquisition is for the whole server: "manage" is the admin, "film" a member of the class, "watch"
 * a spectator of all.
 */
import { PageError } from "./errors";
import { request } from "./http";
import type { BrowserSession, Grant } from "../generated/models";

/** What of a browser's storage is needed. */
type Keep = Pick<Storage, "getItem" | "setItem" | "removeItem">;

export type Right = Grant["right"];

export type SessionState =
  | { state: "open"; grants: readonly Grant[] }
  | { state: "none" } // nobody has joined from here, or it has expired
  | { state: "unknown"; error: PageError }; // the server is away

const PATH = "/api/v1/session";
/** That this browser has joined once; whether it still may, the server knows. */
const JOINED = "cellstorm.joined";

export class Session {
  #state: SessionState | null = null;

  constructor(
    private readonly keep: Keep,
    readonly origin: string = location.origin,
    private readonly send: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  /** As the server last told it; asks it where it has not been asked, or did not answer. */
  async known(): Promise<SessionState> {
    if (this.#state !== null && this.#state.state !== "unknown") return this.#state;
    if (this.keep.getItem(JOINED) === null) return (this.#state = { state: "none" });
    return await this.#refresh();
  }

  async #refresh(): Promise<SessionState> {
    const before = this.#state;
    const told = await this.#told();
    // Whoever has joined or left meanwhile knows better than an answer that was on its way.
    if (this.#state === before) this.#state = told;
    return this.#state ?? told;
  }

  async #told(): Promise<SessionState> {
    try {
      return await this.#open("GET");
    } catch (error) {
      if (!(error instanceof PageError)) throw error;
      const isNobody = error.reason === "not_joined" || error.reason === "not_allowed";
      return isNobody ? { state: "none" } : { state: "unknown", error };
    }
  }

  /** Exchanges a code or a token for the cookie; what was allowed before stays allowed. */
  async enter(key: { code: string } | { token: string }): Promise<void> {
    this.#state = await this.#open("POST", JSON.stringify(key));
    this.keep.setItem(JOINED, "yes");
  }

  /** The server lets whoever creates an acquisition film it. */
  created(id: string): void {
    if (this.#state?.state !== "open") return;
    this.#state = { state: "open", grants: [...this.#state.grants, { right: "film", acquisition_id: id }] };
  }

  async leave(): Promise<void> {
    await request(this.origin + PATH, { method: "DELETE" }, this.send);
    this.ended();
  }

  /** The server no longer knows this browser: what it was allowed has ended, or was taken away. */
  ended(): void {
    this.#state = { state: "none" };
    this.keep.removeItem(JOINED);
  }

  get grants(): readonly Grant[] {
    return this.#state?.state === "open" ? this.#state.grants : [];
  }

  /** Whether this browser has a right, on one acquisition or (null) on the whole server. */
  may(right: Right, acquisitionId: string | null = null): boolean {
    return this.grants.some((grant) => covers(grant, right, acquisitionId));
  }

  async #open(method: "GET" | "POST", body?: string): Promise<SessionState> {
    const options = { method, ...(body !== undefined && { body, contentType: "application/json" }) };
    const answer = await request(this.origin + PATH, options, this.send);
    return { state: "open", grants: ((await answer.json()) as BrowserSession).grants };
  }
}

/** Members of the class watch everything, but film only what is theirs. */
function covers(grant: Grant, right: Right, acquisitionId: string | null): boolean {
  if (grant.acquisition_id === null) {
    return grant.right === "manage" || right === "watch" || (grant.right === right && acquisitionId === null);
  }
  return grant.acquisition_id === acquisitionId && (grant.right === right || right === "watch");
}
