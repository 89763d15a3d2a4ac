/** The shapes of the query API's requests and answers that the page uses. */

/** A filter leaf of the query language: operator, dimension, alternatives. */
export type FilterLeaf = [operator: string, dimension: string, clauses: (string | number)[]];

/** A leaf, or several of which one is enough. */
export type FilterTree = FilterLeaf | ["or", FilterLeaf[]];

/** What a period is compared with. */
export interface Comparisons {
  mode: "previous_period" | "year_over_year" | "custom";
  match_day_of_week?: boolean;
  date_range?: [string, string];
}

/** The body of `POST /api/v2/query`. */
export interface QueryBody {
  site_id: string;
  metrics: string[];
  date_range: string | [string, string];
  dimensions?: string[];
  filters?: FilterTree[];
  order_by?: [string, "asc" | "desc"][];
  pagination?: { limit: number; offset: number };
  include?: { time_labels?: boolean; total_rows?: boolean; comparisons?: Comparisons };
}

/** An amount of money, with the texts the server writes it in. */
export interface Money {
  value: number;
  currency: string;
  short: string;
  long: string;
}

/** A figure of an answer. */
export type Cell = number | Money | null;

/** One row of an answer, in the order of the asked metrics and dimensions. */
export interface ResultRow {
  metrics: Cell[];
  dimensions: (string | null)[];
  comparison?: { dimensions: (string | null)[]; metrics: Cell[]; change: (number | null)[] };
}

/** What an answer says about itself. */
export interface Meta {
  /** RFC 3339: everything received before this moment is in the answer. */
  watermark?: string;
  /** The revision of the data: one number, or one for each partition. */
  revision?: number | Record<string, number>;
  time_labels?: string[];
  comparison_time_labels?: string[];
  total_rows?: number;
  /** Regions whose events should be counted and are not. */
  regions_missing?: string[];
  /** UTC hours that may still change; whatever follows them is open too. */
  open_hours?: string[];
  metric_warnings?: Record<string, { code: string; warning: string }>;
}

/** The answer of `POST /api/v2/query`. */
export interface QueryAnswer {
  results: ResultRow[];
  meta: Meta;
  /** The query as it was understood, its dates resolved. */
  query?: { date_range?: [string, string]; comparison_date_range?: [string, string] };
}

/** What a reader may do with a site. */
export type Right = "read_figures" | "keep_segments" | "read_site" | "change_site";

/** One entry of `GET /api/sites`. */
export interface Site {
  domain: string;
  /** IANA name; the days and hours of every figure are this zone's. */
  timezone: string;
  /** Address of the tracker for the site, when the server knows it. */
  script_url?: string;
  may?: Right[];
}

/** One entry of `GET /api/segments`. */
export interface Segment {
  id: number;
  name: string;
  type: "personal" | "site";
}

/** One entry of `GET /api/annotations`; `at` is a local day or minute of the site. */
export interface Annotation {
  id: number;
  at: string;
  note: string;
  type: "personal" | "site";
}

/** What became of the events of one hour, or of all of them. */
export interface LedgerFigures {
  received: number;
  accepted: number;
  rejected: Record<string, number>;
  deduplicated: number;
  late: number;
  bots: number;
}

/** The answer of `GET /api/ledger`. */
export interface Ledger {
  from: string;
  to: string;
  hours: ({ hour: string } & LedgerFigures)[];
  totals: LedgerFigures;
  balance: { accepted: number; erased?: number; in_files: number; in_stream: number; is_balanced: boolean };
  meta: { watermark: string; revision: number };
}
