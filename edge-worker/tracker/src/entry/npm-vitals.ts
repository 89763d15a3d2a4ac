/** The npm package's web vitals: `webVitals(track)` after `init`. */
export { vitals as webVitals, WEB_VITALS } from '../vitals';
