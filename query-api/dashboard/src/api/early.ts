/** Answers that `public/early.js` asked for before this script was there; each serves once. */

declare global {
  var weirEarly: Record<string, Promise<Response>> | undefined;
}

/** The answer to a GET of this address that is under way already, if any. */
export function takeEarly(path: string): Promise<Response> | undefined {
  const answer = globalThis.weirEarly?.[path];
  if (answer) delete globalThis.weirEarly?.[path];
  return answer;
}
