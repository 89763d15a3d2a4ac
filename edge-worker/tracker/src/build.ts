/**
 * What the build puts in.
 *
 * Scripts with extensions in their names are pieces, one after the other, that share a few variables; there `settings.…` stands for these, or
 * for a constant. In the per-site script and the npm package `settings` is an object (`settings.ts`).
 */
import type { Payload, Props, Settings, Track } from './api';

declare global {
  /** Whether settings are an object, known when the page runs, rather than variables and constants. */
  const RUNTIME: boolean;
  const settings: Settings & {
    /** Look at `plausible-event-…` classes. */
    taggedEvents: boolean;
  };

  /** The script's own element. */
  const S: HTMLScriptElement;
  /** Counts an event. */
  let T: Track;
  /** Where events go. */
  let E: string;
  /** Hash mode. */
  let H: 1 | undefined;
  /** Properties for every event. */
  let P: Props | undefined;
  /** Why an event is not sent, as an extension sees it. */
  let X: ((name: string) => string | false) | undefined;
  /** Where the web vitals are served, and their integrity. */
  const VITALS: string;
  const VITALS_INTEGRITY: string;
}

/** A payload before and after `transformRequest`. */
export type Transformed = Payload | null | undefined;
