/** Counts pages that the server did not find. */
import type { Track } from './api';

const NOT_FOUND = 404;

export const notFound = (track: Track): void => {
  const [navigation] = performance.getEntriesByType('navigation') as PerformanceNavigationTiming[];
  if (navigation?.responseStatus == NOT_FOUND) track('404', { props: { path: location.pathname } });
};
