/**
 * One request to the gateway, which knows this browser by its cookie; its refusals (problem+json, RFC 9457) become
 * PageErrors.
 */
import { type FailureReason, PageError } from "./errors";
import { texts } from "./texts";

const REASONS: Record<number, FailureReason> = {
  401: "not_joined",
  403: "not_allowed",
  404: "not_found",
  409: "wrong_state",
  410: "replaced",
  429: "busy",
  502: "unreachable",
  503: "busy",
  504: "unreachable",
};

export interface RequestOptions {
  method?: string;
  body?: string;
  contentType?: string;
  /** By default nothing is kept; "default" lets the browser ask whether what it has is still good (ETag). */
  cache?: RequestCache;
  signal?: AbortSignal;
}

/** The answer, if it is a good one. */
export async function request(
  url: string,
  options: RequestOptions = {},
  send: typeof fetch = fetch,
): Promise<Response> {
  const headers: Record<string, string> = {};
  if (options.contentType !== undefined) headers["content-type"] = options.contentType;
  let response: Response;
  try {
    response = await send(url, {
      method: options.method ?? "GET",
      headers,
      cache: options.cache ?? "no-store",
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new PageError("unreachable", texts.problems.unreachable, { cause });
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response: Response): Promise<PageError> {
  const reason = REASONS[response.status] ?? (response.status >= 500 ? "unreachable" : "refused");
  return new PageError(reason, (await detailOf(response)) ?? texts.problems.answered(response.status));
}

async function detailOf(response: Response): Promise<string | undefined> {
  if (!(response.headers.get("content-type") ?? "").includes("json")) return undefined;
  try {
    const problem: unknown = await response.json();
    return isProblem(problem) ? problem.detail : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined; // cut short: the status says enough
    throw error;
  }
}

function isProblem(value: unknown): value is { detail: string } {
  return typeof value === "object" && value !== null && "detail" in value && typeof value.detail === "string";
}
