/** The npm package. */
import type { EventOptions, Settings, Track } from '../api';
import { FILE_TYPES } from '../automatic';
import { begin } from '../init';
import { track as count, VERSION } from '../track';

export type { EventOptions, Outcome, Payload, Props, Revenue, Settings, Track } from '../api';

/** Files that count as downloads, unless `fileDownloads` names others. */
export const DEFAULT_FILE_TYPES: string[] = FILE_TYPES;

/** What `init` takes: the site, where its events go, and whatever else differs from the defaults. */
export type InitOptions = Pick<Settings, 'domain' | 'endpoint'> & Partial<Omit<Settings, 'webVitals'>>;

let initialised = false;

/** Begins to count. Call once, in a browser. */
export function init(options: InitOptions): void {
  if (initialised) throw new Error('init() can only be called once');
  if (!options?.domain) throw new Error('init(): domain is required');
  if (!options.endpoint) throw new Error('init(): endpoint is required');
  initialised = true;
  const bound: Track = count;
  if (options.bindToWindow !== false) {
    bound.l = true;
    bound.v = VERSION;
    bound.s = options.lib || 'npm';
    window.plausible = bound;
  }
  begin(options);
}

/** Counts an event: `pageview`, or one of your own. Call `init` first. */
export function track(name: string, options?: EventOptions): void {
  if (!initialised) throw new Error('track() can only be called after init()');
  count(name, options);
}
