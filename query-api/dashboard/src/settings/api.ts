/** The routes by which a site is set up. */
import type { Client } from "../api/client";

/** Switches of the script that a site loads. */
export interface ScriptSwitches {
  outbound_links: boolean;
  file_downloads: boolean;
  form_submissions: boolean;
  hash_routing: boolean;
  web_vitals: boolean;
  respect_gpc: boolean;
}

/** What a site does not want counted, and the hosts it wants counted alone. */
export interface Shields {
  addresses: string[];
  countries: string[];
  pages: string[];
  hostnames: string[];
}

export interface SiteSettings {
  domain: string;
  timezone: string;
  created: string;
  former_domain: string | null;
  /** The lines to paste; null where the server does not know the collector's address. */
  snippet: string | null;
  classic_snippet: string | null;
  script: ScriptSwitches;
  /** Events taken in a second, from the whole site and from one address; 0 = as many as come. */
  limits: { site_per_s: number; address_per_s: number };
  /** Null for who may not change the site. */
  shields: Shields | null;
  /** Everything received, bots and pings included. */
  events: { total: number; last: string | null };
  may: string[];
}

export interface Goal {
  id: number;
  display_name: string;
  goal_type: "event" | "page" | "scroll";
  event_name: string | null;
  page_path: string | null;
  scroll_threshold?: number;
  currency?: string;
  custom_props?: Record<string, string>;
}

export interface KeyRow {
  id: string;
  scopes: string[];
  sites: string[];
  account: string | null;
  created: string;
  is_own: boolean;
  revocable: boolean;
}

export interface SharedLink {
  id: number;
  name: string;
  url: string;
  password_protected: boolean;
}

export interface Segment {
  id: number;
  name: string;
  type: "site" | "personal";
  filters: unknown[];
}

/** The settings of one site, by one reader. */
export class SiteApi {
  private readonly path: string;
  private readonly query: string;

  constructor(
    private readonly client: Client,
    readonly domain: string,
  ) {
    this.path = `/api/sites/${encodeURIComponent(domain)}`;
    this.query = `site_id=${encodeURIComponent(domain)}`;
  }

  settings(signal?: AbortSignal): Promise<SiteSettings> {
    return this.ask("GET", `${this.path}/settings`, undefined, signal);
  }

  change(part: {
    timezone?: string;
    script?: Partial<ScriptSwitches>;
    shields?: Partial<Shields>;
    limits?: SiteSettings["limits"];
  }): Promise<SiteSettings> {
    return this.ask("PATCH", `${this.path}/settings`, part);
  }

  rename(domain: string): Promise<{ domain: string }> {
    return this.ask("PUT", `/api/v1/sites/${encodeURIComponent(this.domain)}`, { domain });
  }

  remove(): Promise<unknown> {
    return this.ask("DELETE", `/api/v1/sites/${encodeURIComponent(this.domain)}`);
  }

  async goals(signal?: AbortSignal): Promise<Goal[]> {
    const path = `/api/v1/sites/goals?limit=1000&${this.query}`;
    return (await this.ask<{ goals: Goal[] }>("GET", path, undefined, signal)).goals;
  }

  addGoal(goal: Record<string, unknown>): Promise<Goal> {
    return this.ask("PUT", "/api/v1/sites/goals", { site_id: this.domain, ...goal });
  }

  removeGoal(id: number): Promise<unknown> {
    return this.ask("DELETE", `/api/v1/sites/goals/${id}?${this.query}`);
  }

  async properties(signal?: AbortSignal): Promise<string[]> {
    const path = `/api/v1/sites/custom-props?${this.query}`;
    const answer = await this.ask<{ custom_properties: { property: string }[] }>(
      "GET",
      path,
      undefined,
      signal,
    );
    return answer.custom_properties.map((one) => one.property);
  }

  addProperty(property: string): Promise<unknown> {
    return this.ask("PUT", "/api/v1/sites/custom-props", { site_id: this.domain, property });
  }

  removeProperty(property: string): Promise<unknown> {
    return this.ask("DELETE", `/api/v1/sites/custom-props/${encodeURIComponent(property)}?${this.query}`);
  }

  keys(signal?: AbortSignal): Promise<{ keys: KeyRow[]; grantable: string[] }> {
    return this.ask("GET", `${this.path}/keys`, undefined, signal);
  }

  addKey(scopes: string[]): Promise<{ key: string; id: string }> {
    return this.ask("POST", `${this.path}/keys`, { scopes });
  }

  revokeKey(id: string): Promise<unknown> {
    return this.ask("DELETE", `${this.path}/keys/${encodeURIComponent(id)}`);
  }

  async links(signal?: AbortSignal): Promise<SharedLink[]> {
    const path = `/api/v1/sites/shared-links?${this.query}`;
    return (await this.ask<{ shared_links: SharedLink[] }>("GET", path, undefined, signal)).shared_links;
  }

  addLink(name: string, password: string): Promise<{ name: string; url: string }> {
    const body: Record<string, string> = { site_id: this.domain, name };
    if (password !== "") body.password = password;
    return this.ask("PUT", "/api/v1/sites/shared-links", body);
  }

  removeLink(id: number): Promise<unknown> {
    return this.ask("DELETE", `/api/v1/sites/shared-links/${id}?${this.query}`);
  }

  segments(signal?: AbortSignal): Promise<Segment[]> {
    return this.ask("GET", `/api/segments?${this.query}`, undefined, signal);
  }

  removeSegment(id: number): Promise<unknown> {
    return this.ask("DELETE", `/api/segments/${id}?${this.query}`);
  }

  private async ask<Answer>(
    method: string,
    path: string,
    body?: unknown,
    signal?: AbortSignal,
  ): Promise<Answer> {
    return (await this.client.call(method, path, body, signal)) as Answer;
  }
}
