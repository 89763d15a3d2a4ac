/** How far a page was scrolled and how long it was looked at. */

/** Smallest engaged time worth a further event, milliseconds. */
const WORTH_MS = 3000;

let deepest = 0;
let reported = -1;
let engagedMs = 0;
let since = 0;

const depth = (): number => {
  const root = document.documentElement;
  const height = Math.max(root.scrollHeight, document.body?.scrollHeight || 0);
  return height ? Math.min(100, Math.round(((scrollY + innerHeight) / height) * 100)) : 100;
};

/** Call when the page is scrolled. */
export const scrolled = (): void => {
  deepest = Math.max(deepest, depth());
};

/** Call when the page may have gained or lost attention: the clock runs only while it is visible and focused. */
export const attend = (): void => {
  const now = performance.now();
  if (since) engagedMs += now - since;
  since = document.visibilityState === 'visible' && document.hasFocus() ? now : 0;
};

/** Begins a page. */
export const begin = (): void => {
  deepest = depth();
  reported = -1;
  engagedMs = 0;
  since = 0;
  attend();
};

/** What is worth reporting since the last report: scroll depth in percent and engaged milliseconds, or nothing. */
export const report = (): { sd: number; e: number } | undefined => {
  attend();
  scrolled();
  if (reported >= 0 && deepest <= reported && engagedMs < WORTH_MS) return undefined;
  const result = { sd: deepest, e: Math.round(engagedMs) };
  reported = deepest;
  engagedMs = 0;
  return result;
};
