/** The npm package's web vitals: `webVitals(track)` after `init`. */
export { WEB_VITALS, webVitals } from '../vitals';
