/** The npm package as a site's TypeScript sees it. Checked by tsc, never run; made by `npm run build`. */
import { DEFAULT_FILE_TYPES, type EventOptions, init, track } from '@weir/tracker';
import { WEB_VITALS, webVitals } from '@weir/tracker/vitals';

init({
  domain: 'shop.example',
  endpoint: 'https://stats.example/api/event',
  fileDownloads: { fileExtensions: [...DEFAULT_FILE_TYPES, 'iso'] },
  customProperties: (name) => ({ name }),
  transformRequest: (payload) => (payload.n === WEB_VITALS ? null : { ...payload, u: payload.u.toLowerCase() }),
});
const options: EventOptions = { props: { plan: 'pro', seats: 3 }, callback: (outcome) => outcome?.status };
track('Signup', options);
webVitals(track);

// @ts-expect-error The site is needed.
init({ endpoint: 'https://stats.example/api/event' });
// @ts-expect-error Properties are flat.
track('Signup', { props: { plan: { name: 'pro' } } });
