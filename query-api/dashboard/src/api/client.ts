/** Talks to the query API with one key. */
import type { QueryAnswer, QueryBody, Site } from "./types";

const TIMEOUT_MS = 30_000;
const SITES = "/api/sites";

/** A request that brought no usable answer. */
export class ApiError extends Error {
  /** `status` is the HTTP status, 0 when the server could not be reached. */
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = "ApiError";
  }
}

/** Whether the server can be expected to answer the same request later. */
export function isTemporary(error: ApiError): boolean {
  return error.status === 0 || error.status === 429 || error.status >= 500;
}

/** The query API, as one key sees it. */
export class Client {
  /** Server's clock minus this machine's, in ms; 0 while they agree within 5 s. */
  clockOffsetMs = 0;

  /**
   * `onRefused` hears of a 401 to anything but the list of sites: the key may be revoked, or the site
   * may not be its own any more, which only that list can tell apart.
   */
  constructor(
    private readonly key: string,
    private readonly onRefused: () => void = () => {},
  ) {}

  /** This moment by the server's clock. */
  now(): number {
    return Date.now() + this.clockOffsetMs;
  }

  async sites(signal?: AbortSignal): Promise<Site[]> {
    return (await this.request("GET", SITES, undefined, signal)) as Site[];
  }

  async currentVisitors(site: string, signal?: AbortSignal): Promise<number> {
    const path = `/api/v1/stats/realtime/visitors?site_id=${encodeURIComponent(site)}`;
    return Number(await this.request("GET", path, undefined, signal));
  }

  async query(body: QueryBody, signal?: AbortSignal): Promise<QueryAnswer> {
    const answer = (await this.request("POST", "/api/v2/query", body, signal)) as QueryAnswer;
    return { results: answer.results ?? [], meta: answer.meta ?? {} };
  }

  private async request(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<unknown> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const headers: Record<string, string> = { Authorization: `Bearer ${this.key}` };
    const init: RequestInit = {
      method,
      headers,
      credentials: "omit",
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
    if (response.ok) {
      try {
        return await response.json();
      } catch (cause) {
        if (signal?.aborted) throw cause;
        throw new ApiError(0, "The server's answer broke off.");
      }
    }
    if (response.status === 401 && path !== SITES) this.onRefused();
    throw new ApiError(response.status, await errorText(response));
  }

  private learnClock(date: string | null): void {
    const server = date ? Date.parse(date) : Number.NaN;
    if (Number.isNaN(server)) return;
    const offset = server - Date.now();
    // The header has whole seconds: a small difference says nothing.
    this.clockOffsetMs = Math.abs(offset) > 5_000 ? offset : 0;
  }
}

/** The `error` text of an error answer, else a sentence with its status. */
async function errorText(response: Response): Promise<string> {
  try {
    const body = (await response.json()) as { error?: unknown };
    if (typeof body.error === "string" && body.error !== "") return body.error;
  } catch {
    // No JSON: the status has to do.
  }
  return `The server answered with status ${response.status}.`;
}
