/** The few drawn signs of the page; all are decoration beside words. */

/** The mark: a stream that falls over a step. */
export function Mark() {
  return (
    <svg class="mark" width="28" height="28" viewBox="0 0 32 32" aria-hidden="true">
      <rect class="mark-ground" width="32" height="32" rx="8" />
      <path class="mark-stream" d="M6 11.5h8.5c4 0 3 9.5 7 9.5H26" />
      <path class="mark-pool" d="M6 21h6.5" />
    </svg>
  );
}

/** A chevron that points down. */
export function Chevron() {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m4 6 4 4 4-4" />
    </svg>
  );
}

/** A cross, for "take away". */
export function Cross() {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m4.5 4.5 7 7m0-7-7 7" />
    </svg>
  );
}

/** A check mark, for "chosen". */
export function Check() {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d="m3.5 8.5 3 3 6-7" />
    </svg>
  );
}

/** A calendar leaf. */
export function Calendar() {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M2.5 4.5a1 1 0 0 1 1-1h9a1 1 0 0 1 1 1v8a1 1 0 0 1-1 1h-9a1 1 0 0 1-1-1zm0 2.5h11M5.5 2v3m5-3v3" />
    </svg>
  );
}

/** A door with an arrow out of it. */
export function Leave() {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d="M6.5 2.5h-3a1 1 0 0 0-1 1v9a1 1 0 0 0 1 1h3m3.5-8 2.5 2.5-2.5 2.5m2-2.5h-6" />
    </svg>
  );
}

/** Any small sign drawn as one path in a square of 16. */
function Sign({ path }: { path: string }) {
  return (
    <svg class="icon" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d={path} />
    </svg>
  );
}

/** A funnel, for filters. */
export function Funnel() {
  return <Sign path="M2.5 3.5h11L9.3 8.6v4.1l-2.6-1.4V8.6z" />;
}

/** Three dots, for more. */
export function More() {
  return <Sign path="M3 8h.5M7.75 8h.5m4.25 0h.5" />;
}

/** A looking glass. */
export function Search() {
  return <Sign path="M7 11.5a4.5 4.5 0 1 1 0-9 4.5 4.5 0 0 1 0 9m3.4-1.1 3.1 3.1" />;
}

/** A chevron to the side before or after, mirrored where the text runs to the left. */
export function Step({ to }: { to: "before" | "after" }) {
  return (
    <svg class="icon icon-flip" width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
      <path d={to === "before" ? "M10 4 6 8l4 4" : "m6 4 4 4-4 4"} />
    </svg>
  );
}
