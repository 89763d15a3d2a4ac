/** A filter of the query language in words. */

const OPERATORS: Record<string, string> = {
  is: "is",
  is_not: "is not",
  contains: "contains",
  contains_not: "does not contain",
  matches: "matches",
  matches_not: "does not match",
  has_done: "did",
  has_not_done: "did not",
};

/** `filter` as it was saved: a leaf such as `["is", "visit:source", ["Google"]]`, or one that joins others. */
export function filterWords(filter: unknown): string {
  if (!Array.isArray(filter)) return String(filter);
  const [operator, subject, clauses] = filter as [unknown, unknown, unknown];
  if ((operator === "and" || operator === "or") && Array.isArray(subject)) {
    return subject.map(filterWords).join(` ${operator} `);
  }
  if (operator === "not") return `not (${filterWords(subject)})`;
  if (Array.isArray(subject))
    return `${OPERATORS[String(operator)] ?? String(operator)} ${filterWords(subject)}`;
  const words = OPERATORS[String(operator)] ?? String(operator).replaceAll("_", " ");
  const values = Array.isArray(clauses) ? clauses.map(String).join(" or ") : "";
  return `${dimensionWords(String(subject))} ${words} ${values}`.trim();
}

function dimensionWords(dimension: string): string {
  const name = dimension.replace(/^(event|visit):/, "");
  return name.startsWith("props:") ? `property ${name.slice(6)}` : name.replaceAll("_", " ");
}
