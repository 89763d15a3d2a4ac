/** What pages and the script say to each other: the global `plausible`, as Plausible's snippets use it. */

/** The outcome of sending one event: the HTTP status, or the error that kept it from being sent. */
export interface Outcome {
  status?: number;
  error?: unknown;
}

/** What may go along with an event. */
export interface Options {
  props?: Record<string, string | number | boolean>;
  revenue?: { currency: string; amount: number | string };
  /** `false`: the event does not end a bounce. */
  interactive?: boolean;
  /** Address of the page, when it is not the one in the address bar. */
  url?: string;
  callback?: (outcome: Outcome) => void;
}

/** `plausible('Signup', {props: {plan: 'pro'}})`; before the script has loaded, calls wait in `q`. */
export interface Track {
  (name: string, options?: Options): void;
  q?: IArguments[] | [string, Options?][];
  l?: boolean;
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
}
