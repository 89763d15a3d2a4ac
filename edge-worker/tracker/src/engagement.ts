/** How far a page was scrolled and how long it was looked at. */
import type { Payload } from './api';
import { send } from './queue';

/** Smallest engaged time worth a further event, milliseconds. */
const WORTH_MS = 3000;

/** What the events repeat of the page view that they belong to: the last one that was counted. */
let view: Payload | false;
/** Height of the page and how far down it was seen, pixels. */
let height: number;
let deepest: number;
let reported: number;
let engagedMs: number;
/** Since when the clock runs; 0 = it stands. */
let since = 0;

/** Looks how far down the page is seen. */
export const measure = (): void => {
  height = document.documentElement.scrollHeight;
  deepest = Math.max(deepest, scrollY + innerHeight);
};

/** The clock runs only while the page is visible and has the focus. */
const tick = (): void => {
  const now = Date.now();
  if (since) engagedMs += now - since;
  since = (!document.hidden && document.hasFocus() && now) as number;
};

/** Tells what is new about the page, if it is worth it. */
export const report = (): void => {
  tick();
  if (view && (deepest > reported || engagedMs >= WORTH_MS)) {
    // The server takes more than a hundred percent, as of pages that shrank, for a hundred.
    send({ ...view, $: undefined, n: 'engagement', sd: Math.round((deepest / height) * 100), e: engagedMs });
    reported = deepest;
    engagedMs = 0;
  }
};

/** Tells it when the page loses attention. */
export const attend = (): void => {
  tick();
  if (!since) report();
};

/** Begins a page; without a page view, nothing is told until the next. */
export const begin = (payload: Payload | false): void => {
  view = payload;
  deepest = engagedMs = since = reported = 0;
  measure();
  tick();
};
