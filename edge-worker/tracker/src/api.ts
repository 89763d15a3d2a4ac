/** What pages and the script say to each other, named as Plausible names it. */

/** The outcome of sending one event: the HTTP status, or the error that kept it from being sent; it is tried again later where that helps. */
export interface Outcome {
  status?: number;
  error?: unknown;
}

/** Custom properties of an event. */
export type Props = Record<string, string | number | boolean>;

/** An amount of money: ISO 4217 code and amount. */
export interface Revenue {
  currency: string;
  amount: number | string;
}

/** What may go along with an event. */
export interface EventOptions {
  props?: Props;
  revenue?: Revenue;
  /** `false`: the event does not end a bounce. */
  interactive?: boolean;
  /** Address of the page, when it is not the one in the address bar. */
  url?: string;
  /** The same by its older name. */
  u?: string;
  /** Called once the event was tried (with the outcome) or ignored (without). */
  callback?: (outcome?: Outcome) => void;
}

/** An event as it travels. */
export interface Payload {
  /** Name. */
  n: string;
  /** Address of the page. */
  u: string;
  /** Site, or several with commas. */
  d: string;
  /** Referrer. */
  r?: string | null;
  p?: Props;
  $?: Revenue;
  /** Interactive. */
  i?: boolean;
  /** 1: the fragment belongs to the page. */
  h?: 1;
  /** Generation of the script. */
  v?: number;
  /** Random; the same at every retry. */
  id?: string;
  /** Scroll depth, percent. */
  sd?: number;
  /** Engaged time, milliseconds. */
  e?: number;
}

/** Settings of the script, `plausible.init(settings)`. */
export interface Settings {
  /** Site, as the server knows it. */
  domain: string;
  /** Where events go, `https://…/api/event`. */
  endpoint: string;
  /** Count page views without being asked. Default: true. */
  autoCapturePageviews: boolean;
  /** The fragment of the address names the page. Default: false. */
  hashBasedRouting: boolean;
  outboundLinks: boolean;
  /** Files to count: the usual kinds, or these extensions. */
  fileDownloads: boolean | { fileExtensions: string[] };
  formSubmissions: boolean;
  captureOnLocalhost: boolean;
  /** Say on the console why an event is not sent. Default: true. */
  logging: boolean;
  /** Added to every event; the event's own win. */
  customProperties?: Props | ((eventName: string) => Props);
  /** Changes an event before it is sent; nothing = do not send it. */
  transformRequest?: (payload: Payload) => Payload | null | undefined;
  /** Set `window.plausible`. Default: true. */
  bindToWindow: boolean;
  /** Name of the program that embeds the script. */
  lib?: string;
  /** Send nothing from browsers whose users object by Global Privacy Control. Default: false. */
  respectGpc: boolean;
  /** Load the web vitals and count them. Default: false. */
  webVitals: boolean;
}

/** `plausible('Signup', {props: {plan: 'pro'}})`; before the script has loaded, calls wait in `q` and the settings in `o`. */
export interface Track {
  (name: string, options?: EventOptions): void;
  q?: Iterable<unknown>[];
  /** Loaded. */
  l?: boolean;
  /** Settings given before the script was there. */
  o?: Partial<Settings>;
  init?: (settings?: Partial<Settings>) => void;
  /** Generation and source of the script. */
  v?: number;
  s?: string;
}

declare global {
  interface Window {
    plausible?: Track;
    /** Set by tests: send although the browser is automated. */
    __plausible?: boolean;
    _phantom?: unknown;
    __nightmare?: unknown;
    Cypress?: unknown;
  }
  interface Navigator {
    globalPrivacyControl?: boolean;
  }
}
