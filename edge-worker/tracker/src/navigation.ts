/** Page views without being asked: at the start, at navigation inside the page, and on the way back. */
import { attend } from './engagement';
import { flush } from './queue';
import { track } from './track';

/** The page that was counted last. */
let seen = '';

/** Counts the page if it is another. One that is prerendered or opened in the background counts when it is first seen. */
export const look = (_unused?: unknown): void => {
  const here = location.pathname + (settings.hashBasedRouting ? location.hash : '');
  if (settings.autoCapturePageviews && here != seen && (seen || !document.hidden)) {
    seen = here;
    track('pageview');
  }
};

/** Call when the page may have gained or lost attention. */
export const attention = (): void => {
  attend();
  if (document.hidden) flush();
  else if (!seen) look();
};

/** Call when the page is shown again that was put aside. */
export const back = (event: PageTransitionEvent): unknown => event.persisted && look((seen = ''));
