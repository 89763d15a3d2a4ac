/**
 * A body of `POST /api/event`: its text or bytes as they came in, or the event or array of events themselves.
 */
export type Body = string | Uint8Array | EventBody | EventBody[];

/** An event as senders say it: Plausible's fields by their short or long names, and Weir's own. Other fields are ignored. */
export interface EventBody {
  /** Name: `pageview`, `engagement`, or that of a custom event. */
  n?: string | number;
  name?: string | number;
  /** Address of the page. */
  u?: string;
  url?: string;
  /** Sites, divided by commas; the page's host when left out. */
  d?: string;
  domain?: string;
  /** Referrer. */
  r?: string | null;
  referrer?: string | null;
  /** Custom properties, at most 30; an object or the JSON text of one. */
  p?: Props | string;
  props?: Props | string;
  m?: Props | string;
  meta?: Props | string;
  /** Revenue; an object or the JSON text of one. */
  $?: RevenueBody | string;
  revenue?: RevenueBody | string;
  /** Whether the event ends a bounce. */
  i?: boolean;
  interactive?: boolean;
  /** The fragment is part of the path. */
  h?: boolean | 0 | 1;
  hashMode?: boolean | 0 | 1;
  /** Scroll depth, percent, and engaged time, milliseconds, of `engagement`. */
  sd?: number;
  e?: number;
  /** Version of the tracker. */
  v?: number;
  /** Random id, 32 hex digits or a UUID: the same event sent again counts once. */
  id?: string;
  event_id?: string;
  /** Milliseconds since it happened, at most a day. */
  age?: number | string;
  age_ms?: number | string;
  /** It may have been sent before. */
  retry?: boolean | 1;
  /** The sender says that it is automated. */
  bot?: boolean;
  /** Only of a trusted sender: when it happened (RFC 3339), the client's address and its program. */
  timestamp?: string;
  ip?: string;
  user_agent?: string;
  [other: string]: unknown;
}

/** Values of custom properties; others than text, numbers and truth values are left out. */
export type Props = Record<string, unknown>;

/** An amount of money. */
export interface RevenueBody {
  /** ISO 4217 code. */
  currency: string;
  amount: number | string;
}

/** What the edge answers. */
export interface Answer {
  /** 202 also where only some events of an array are refused. */
  status: 202 | 400 | 413;
  /** `ok`, or the refusals as JSON text. */
  body: string;
}

/** What the sender of a batch knows of the client and of itself. */
export interface BatchContext {
  /** Number of the site. */
  site_id: number;
  /** When the events came in, Unix milliseconds. */
  received_ms: number;
  /** Decimal text of the visitor's 64-bit id. */
  visitor_id: string;
  /** The same under the salt of the day before; left out, that salt is gone. */
  previous_visitor_id?: string;
  user_agent?: string;
  /** ISO 3166-1 alpha-2. */
  country?: string;
  /** ISO 3166-2. */
  region?: string;
  city?: string;
  /** The client is a headless or remote-controlled browser. */
  headless?: boolean;
  /** The sender has shown a key that may write: its `timestamp` and `user_agent` are taken. */
  trusted?: boolean;
  /** Random id of the sender's run, 32 hex digits. */
  producer: string;
  /** Counts the producer's batches from 1, without gaps. */
  number: number;
}

/** One message on a partition's stream. Hex text for ids of producers, events and controls. */
export interface Batch {
  /** Random id of the sender's run. */
  producer: string;
  /** Counts the producer's batches from 1, without gaps. */
  number: number;
  /** When the batch was formed, Unix milliseconds. */
  formed_ms: number;
  /** Receive time of the oldest event that the sender still holds, Unix milliseconds; 0 = none. */
  oldest_unsent_ms: number;
  /** Stable name of the sender. */
  batcher: string;
  events: Event[];
  controls: Control[];
  refused: Refused[];
}

/** One event of one site. */
export interface Event {
  /** Random id, 32 hex digits; zeros = none. */
  id: string;
  /** It may have been sent before. */
  retry: boolean;
  /** When it happened, Unix milliseconds. */
  event_ms: number;
  /** When the edge received it, Unix milliseconds. */
  received_ms: number;
  site_id: number;
  /** Visitor id under the salt of the event's UTC day, decimal text of 64 bits. */
  visitor_id: string;
  /** The same under the salt of the day before; `"0"` = that salt is gone. */
  previous_visitor_id: string;
  name: string;
  hostname: string;
  pathname: string;
  referrer: string;
  user_agent: string;
  utm_source: string;
  utm_medium: string;
  utm_campaign: string;
  utm_content: string;
  utm_term: string;
  click_id: string;
  country: string;
  region: string;
  city: string;
  /** Key and value, in the order of arrival. */
  props: [key: string, value: string][];
  revenue: Revenue | null;
  /** Engaged time, milliseconds; only on `engagement`. */
  engagement_ms: number | null;
  /** Percent; only on `engagement`. */
  scroll_depth: number | null;
  /** The event does not end a bounce. */
  non_interactive: boolean;
  /** What the edge knows of automation. A number is a mark that this version has no name for. */
  bot: 'none' | 'declared' | 'headless' | number;
  /** How it came in. */
  origin: 'edge' | 'import' | number;
  /** 0 = not told. */
  tracker_version: number;
}

/** An amount of money. */
export interface Revenue {
  currency: string;
  /** Millionths of the currency's unit, decimal text of 64 bits with sign. */
  amount_micros: string;
}

/** A record that changes what earlier events mean. */
export interface Control {
  /** Hex digits. */
  id: string;
  requested_ms: number;
  /** `null` is a kind that this version does not know. */
  kind: { delete_site: { site_id: number } } | { move_site: { site_id: number; to_partition: number } } | { delete_visitor: { site_id: number; visitor_id: string } } | null;
}

/** How many events of a site the edge refused or dropped for one reason. */
export interface Refused {
  /** 0 = not known. */
  site_id: number;
  /** Start of the UTC hour, Unix milliseconds. */
  hour_ms: number;
  reason: string;
  count: number;
}

/** A batch to encode: what is left out is empty, 0 or `false`. */
export interface BatchInput extends Partial<Omit<Batch, 'events' | 'controls' | 'refused'>> {
  events?: Partial<Event>[];
  controls?: Partial<Control>[];
  refused?: Partial<Refused>[];
}

/** What is wrong with an event: field to messages. */
export type Errors = Record<string, string[]>;

/** What every function of this package throws. Tell it by `name` or `code`. */
export type WeirError = Error & { name: 'WeirError' } & (
    /** An argument is of the wrong type. */
    | { code: 'invalid_argument'; argument: string }
    /** The body as a whole cannot be used. */
    | { code: 'invalid_body'; status: 400 | 413; errors: Errors }
    /** The body's event at `index` is refused. */
    | { code: 'invalid_event'; index: number; errors: Errors }
    | { code: 'invalid_random'; wanted: number; found: number }
    /** The context or the batch is no JSON object, or one of its fields is unknown or wrong. */
    | { code: 'invalid_field'; field?: string }
    /** A number of the batch is larger than `Number.MAX_SAFE_INTEGER`. */
    | { code: 'unsafe_integer'; field: string }
    | { code: 'unknown_schema'; version: number }
    | { code: 'too_large'; size_bytes: number }
    | { code: 'too_many_events' }
    | { code: 'malformed' }
  );
