/** From a shared link to a client that reads its site. */
import { ApiError, Client } from "../api/client";
import type { Site } from "../api/types";

/** What became of opening a link. */
export type Opened =
  | { state: "open"; client: Client; site: Site }
  | { state: "password"; wrong: boolean }
  | { state: "unknown" }
  | { state: "failed"; error: ApiError };

interface Answer {
  domain: string;
  timezone: string;
  /** Only of embedded views, which get no cookie. */
  token?: string;
}

/**
 * Opens the link. A frame on another site is not given cookies: it asks for a token, kept in memory.
 * Where no password is given, a session of an earlier visit may still read the site.
 */
export async function openLink(
  slug: string,
  password: string | null,
  embed: boolean,
  onRefused: () => void,
  expected: string,
): Promise<Opened> {
  const body: Record<string, unknown> = {};
  if (password !== null) body.password = password;
  if (embed) body.embed = true;
  try {
    const path = `/api/share/${encodeURIComponent(slug)}/session`;
    const answer = (await new Client().call("POST", path, body)) as Answer;
    const client = new Client(onRefused, answer.token ?? null);
    return { state: "open", client, site: { domain: answer.domain, timezone: answer.timezone } };
  } catch (cause) {
    const error = cause instanceof ApiError ? cause : new ApiError(0, String(cause));
    if (error.status === 404) return { state: "unknown" };
    if (error.code !== "wrong_password") return { state: "failed", error };
    if (password !== null) return { state: "password", wrong: true };
    return embed ? { state: "password", wrong: false } : await earlier(expected, onRefused);
  }
}

/** The session of an earlier visit with the password, if it still holds. */
async function earlier(expected: string, onRefused: () => void): Promise<Opened> {
  try {
    const client = new Client(onRefused);
    const site = (await client.sites()).find((one) => one.domain === expected);
    if (site) return { state: "open", client, site };
  } catch {
    // None: the password it is.
  }
  return { state: "password", wrong: false };
}
