/** Talks to the query API: by the session's cookie, or by the token of an embedded view. */
import type { QueryAnswer, QueryBody, Site } from "./types";

const TIMEOUT_MS = 30_000;
const SITES = "/api/sites";
/** Addresses whose refusal says something about the session. */
const OF_FIGURES = /^\/api\/(v1\/stats|v2|ledger)/;

/** A request that brought no usable answer. */
export class ApiError extends Error {
  /** `status` is the HTTP status, 0 when the server could not be reached. */
  constructor(
    readonly status: number,
    message: string,
    /** The server's name for the fault, such as `wrong_password`. */
    readonly code: string | null = null,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Whether the server can be expected to answer the same request later. */
export function isTemporary(error: ApiError): boolean {
  return error.status === 0 || error.status === 429 || error.status >= 500;
}

/** The query API, as one reader sees it. */
export class Client {
  /** Server's clock minus this machine's, in ms; 0 while they agree within 5 s. */
  clockOffsetMs = 0;

  /**
   * `onRefused` hears of a 401 to figures: the session may be over, or the site may not be the reader's
   * any more, which only the list of sites can tell apart. `token` stands for the cookie that a frame
   * on another site is not allowed to have; it is kept here and nowhere else.
   */
  constructor(
    private readonly onRefused: () => void = () => {},
    private readonly token: string | null = null,
  ) {}

  /** This moment by the server's clock. */
  now(): number {
    return Date.now() + this.clockOffsetMs;
  }

  async sites(signal?: AbortSignal): Promise<Site[]> {
    return (await this.call("GET", SITES, undefined, signal)) as Site[];
  }

  async currentVisitors(site: string, signal?: AbortSignal): Promise<number> {
    const path = `/api/v1/stats/realtime/visitors?site_id=${encodeURIComponent(site)}`;
    return Number(await this.call("GET", path, undefined, signal));
  }

  async query(body: QueryBody, signal?: AbortSignal): Promise<QueryAnswer> {
    const answer = (await this.call("POST", "/api/v2/query", body, signal)) as QueryAnswer;
    return { results: answer.results ?? [], meta: answer.meta ?? {} };
  }

  /** Any request to this server; the answer's JSON, null when it has no content. */
  async call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const headers: Record<string, string> = {};
    if (this.token !== null) headers.Authorization = `Bearer ${this.token}`;
    const init: RequestInit = {
      method,
      headers,
      credentials: this.token === null ? "same-origin" : "omit",
      cache: "no-store",
      signal: signal ? AbortSignal.any([signal, timeout]) : timeout,
    };
    if (body !== undefined) {
      headers["Content-Type"] = "application/json";
      init.body = JSON.stringify(body);
    }
    let response: Response;
    try {
      response = await fetch(path, init);
    } catch (cause) {
      if (signal?.aborted) throw cause;
      throw new ApiError(
        0,
        timeout.aborted ? "The server did not answer in time." : "The server cannot be reached.",
      );
    }
    this.learnClock(response.headers.get("Date"));
    if (response.status === 204) return null;
    if (response.ok) {
      try {
        return await response.json();
      } catch (cause) {
        if (signal?.aborted) throw cause;
        throw new ApiError(0, "The server's answer broke off.");
      }
    }
    if (response.status === 401 && OF_FIGURES.test(path)) this.onRefused();
    throw await errorOf(response);
  }

  private learnClock(date: string | null): void {
    const server = date ? Date.parse(date) : Number.NaN;
    if (Number.isNaN(server)) return;
    const offset = server - Date.now();
    // The header has whole seconds: a small difference says nothing.
    this.clockOffsetMs = Math.abs(offset) > 5_000 ? offset : 0;
  }
}

/** What an error answer says, else a sentence with its status. */
async function errorOf(response: Response): Promise<ApiError> {
  let message = `The server answered with status ${response.status}.`;
  let code: string | null = null;
  try {
    const body = (await response.json()) as { error?: unknown; code?: unknown };
    if (typeof body.error === "string" && body.error !== "") message = body.error;
    if (typeof body.code === "string") code = body.code;
  } catch {
    // No JSON: the status has to do.
  }
  return new ApiError(response.status, message, code);
}
