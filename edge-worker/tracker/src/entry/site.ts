/** The per-site script: counts once the page calls `plausible.init(settings)`. */
import type { Settings, Track } from '../api';
import { begin } from '../init';
import { loadVitals } from '../load-vitals';
import { track, VERSION } from '../track';

/** What the server knows of the site. */
declare const W: Partial<Settings>;

const { src } = document.currentScript as HTMLScriptElement;
const early = window.plausible;

const init = (given?: Partial<Settings>): void => {
  if (counting.l) return;
  counting.l = true;
  counting.v = VERSION;
  counting.s = given?.lib || 'web';
  if (given?.bindToWindow != false) window.plausible = counting;
  begin({ endpoint: new URL('/api/event', src).href, ...W, ...given }, early?.q);
  if (settings.webVitals) loadVitals(src);
};

const counting: Track = track;
counting.init = init;
// A second script on the page leaves the first one alone.
if (!early?.l) {
  if (early?.o) init(early.o);
  else {
    window.plausible = early || counting;
    window.plausible.init = init;
  }
}
