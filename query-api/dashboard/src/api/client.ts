/** Talks to the query API: by the session's cookie, or by the token of an embedded view. */

import { Batch, type Outcome } from "./batch";
import { takeEarly } from "./early";
import type { QueryAnswer, QueryBody, Site } from "./types";

const TIMEOUT_MS = 30_000;
const SITES = "/api/sites";
const QUERY = "/api/v2/query";
const QUERIES = "/api/v2/queries";
/** Addresses whose refusal is the answer to whoever asked. */
const OF_SESSIONS = /^\/api\/(session|share\/|sites$)/;

/** One of several answers: figures, or why there are none. */
type Asked = QueryAnswer | { error: string; code?: string; status: number };

/** A request that brought no usable answer. */
export class ApiError extends Error {
  /** `status` is the HTTP status, 0 when the server could not be reached. */
  constructor(
    readonly status: number,
    message: string,
    /** The server's name for the fault, such as `wrong_password`. */
    readonly code: string | null | undefined = null,
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

  /** The revision of the data that is asked for; null asks for the newest. */
  revision: string | null = null;

  private readonly batch = new Batch((bodies, signal) => this.ask(bodies, signal));

  /**
   * `onRefused` hears of a 401 to anything but the question who reads what: the session may be over, or the
   * site may not be the reader's any more, which only that question can tell apart. `token` stands for the cookie that a frame
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

  /** Asks a question, together with all others that are asked at the same moment. */
  query(body: QueryBody, signal?: AbortSignal): Promise<QueryAnswer> {
    return this.batch.put(body, signal);
  }

  /** The answer of one query as comma-separated text. */
  async csv(body: QueryBody): Promise<string> {
    const response = await this.fetch("POST", this.at(QUERY), body, undefined, { Accept: "text/csv" });
    return response.text();
  }

  /** The last answers and their tag: a view that is asked again may find that no figure changed. */
  private known: { asked: string; tag: string; answers: Asked[] } | null = null;

  private async ask(queries: QueryBody[], signal: AbortSignal): Promise<Outcome[]> {
    const asked = `${this.revision} ${JSON.stringify(queries)}`;
    const before = this.known?.asked === asked ? this.known : null;
    const headers = before ? { "If-None-Match": before.tag } : {};
    const response = await this.fetch("POST", this.at(QUERIES), { queries }, signal, headers);
    let answers: Asked[];
    if (before && response.status === 304) {
      answers = before.answers.map((one) => asOf(one, response.headers.get("Weir-Watermark")));
    } else {
      answers = ((await readJson(response, signal)) as { answers: Asked[] }).answers;
      const tag = response.headers.get("ETag");
      // Rare questions between two refreshes do not push out what the refresh asks.
      if (tag && queries.length > 1) this.known = { asked, tag, answers };
    }
    return answers.map((one) => {
      if (!("error" in one)) return one;
      if (one.status === 401) this.onRefused();
      return { failed: new ApiError(one.status, one.error, one.code) };
    });
  }

  private at(path: string): string {
    return this.revision === null ? path : `${path}?rev=${encodeURIComponent(this.revision)}`;
  }

  /** Any request to this server; the answer's JSON, null when it has no content. */
  async call(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
    const response = await this.fetch(method, path, body, signal);
    return response.status === 204 ? null : readJson(response, signal);
  }

  private async fetch(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
    more: Record<string, string> = {},
  ): Promise<Response> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    const headers: Record<string, string> = { ...more };
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
      const early = method === "GET" && this.token === null ? takeEarly(path) : undefined;
      response = await (early ?? fetch(path, init));
    } catch (cause) {
      if (signal?.aborted) throw cause;
      throw new ApiError(
        0,
        timeout.aborted ? "The server did not answer in time." : "The server cannot be reached.",
      );
    }
    this.learnClock(response.headers.get("Date"));
    if (response.ok || response.status === 304) return response;
    if (response.status === 401 && !OF_SESSIONS.test(path)) this.onRefused();
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

async function readJson(response: Response, signal?: AbortSignal): Promise<unknown> {
  try {
    return await response.json();
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, "The server's answer broke off.");
  }
}

/** The same figures, known to be complete up to a later moment. */
function asOf(answer: Asked, watermark: string | null): Asked {
  if ("error" in answer || watermark === null) return answer;
  return { ...answer, meta: { ...answer.meta, watermark } };
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
