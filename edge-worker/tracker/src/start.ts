/** Brings the script to life. */
import { measure } from './engagement';
import { attention, back, look } from './navigation';
import { flush } from './queue';

/** Call once, when the settings are known. */
export const start = (): void => {
  new ResizeObserver(measure).observe(document.documentElement);
  addEventListener('scroll', measure);
  addEventListener('focus', attention);
  addEventListener('blur', attention);
  addEventListener('visibilitychange', attention);
  addEventListener('online', flush);
};

let push: History['pushState'];

/** Call after that; counts the page. */
export const go = (): void => {
  push = history.pushState;
  history.pushState = (...state) => look(push.apply(history, state));
  addEventListener('popstate', look);
  addEventListener('hashchange', look);
  addEventListener('pageshow', back);
  look();
  flush();
};
