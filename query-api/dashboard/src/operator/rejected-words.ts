/** Why a payload was refused, in words. */

/** `reason` is the edge's own name: `unknown_site`. */
export function reasonWords(reason: string): string {
  const words = reason.replaceAll("_", " ");
  return words === "" ? "Refused" : `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

/** Errors by field, `{"url": ["is invalid"]}`, or whatever else came. */
export function errorWords(errors: unknown): string {
  if (errors === null || errors === undefined) return "";
  if (typeof errors !== "object") return String(errors);
  const one = ([field, problem]: [string, unknown]) =>
    `${Array.isArray(errors) ? "" : `${field} `}${Array.isArray(problem) ? problem.map(text).join(", ") : text(problem)}`;
  return Object.entries(errors).map(one).join("; ");
}

function text(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
