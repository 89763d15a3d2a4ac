/** What keys may do, in words. */

const WORDS: Record<string, [label: string, hint: string]> = {
  "stats:read": ["Read figures", "For reports, and for signing in here to look."],
  "sites:read": ["See the set-up", "Which sites there are and how they are set up."],
  "sites:provision": ["Change the set-up", "Goals, shields, shared links and keys; reading included."],
  "events:write": ["Send events", "From a server of yours, with the visitor's address and time."],
};

/** A scope's name for readers. */
export function scopeLabel(scope: string): string {
  return WORDS[scope]?.[0] ?? scope;
}

/** What it is for. */
export function scopeHint(scope: string): string {
  return WORDS[scope]?.[1] ?? "";
}
