/** The shapes of the query API's requests and answers that the page uses. */

/** A filter leaf of the query language: operator, dimension, alternatives. */
export type FilterLeaf = [operator: string, dimension: string, clauses: string[]];

/** The body of `POST /api/v2/query`. */
export interface QueryBody {
  site_id: string;
  metrics: string[];
  date_range: string | [string, string];
  dimensions?: string[];
  filters?: FilterLeaf[];
  order_by?: [string, "asc" | "desc"][];
  pagination?: { limit: number; offset: number };
  include?: Record<string, boolean>;
}

/** One row of an answer, in the order of the asked metrics and dimensions. */
export interface ResultRow {
  metrics: (number | null)[];
  dimensions: (string | null)[];
}

/** What an answer says about itself. */
export interface Meta {
  /** RFC 3339: everything received before this moment is in the answer. */
  watermark?: string;
  /** The revision of the data: one number, or one for each partition. */
  revision?: number | Record<string, number>;
}

/** The answer of `POST /api/v2/query`. */
export interface QueryAnswer {
  results: ResultRow[];
  meta: Meta;
}

/** One entry of `GET /api/sites`. */
export interface Site {
  domain: string;
  /** IANA name; the days and hours of every figure are this zone's. */
  timezone: string;
  /** Address of the tracker for the site, when the server knows it. */
  script_url?: string;
  /** What this reader may do with it; absent for somebody with a shared link. */
  may?: ("read_figures" | "keep_segments" | "read_site" | "change_site")[];
}
