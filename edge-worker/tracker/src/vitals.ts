/** The web vitals of a page, as one event when it is left: milliseconds, and the layout shift as a number. */
import { type Metric, onCLS, onFCP, onINP, onLCP, onTTFB } from 'web-vitals';
import type { Props, Track } from './api';

/** Name of the event. */
export const WEB_VITALS = 'Web Vitals';

/** Counts them with `track`. The page is the one that was loaded, wherever the visitor went inside it. */
export const webVitals = (track: Track): void => {
  const url = location.href;
  let props: Props = {};
  let told = false;
  const take = ({ name, value }: Metric): void => {
    props[name] = name == 'CLS' ? Math.round(value * 1e4) / 1e4 : Math.round(value);
  };
  for (const on of [onCLS, onFCP, onINP, onLCP, onTTFB]) on(take);
  // After the library's own listeners, which take the last values in the capturing phase.
  addEventListener('visibilitychange', () => {
    if (!document.hidden || told || !Object.keys(props)[0]) return;
    told = true;
    track(WEB_VITALS, { props, interactive: false, url });
  });
  addEventListener('pageshow', ({ persisted }) => {
    if (!persisted) return;
    told = false;
    props = {};
  });
};
