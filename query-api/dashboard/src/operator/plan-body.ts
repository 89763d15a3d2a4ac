/** What a form says about a replay, as the API takes it. */

type Body = { from_seq?: number; from_time?: string; rules: string | Record<string, string> };

/** `from` is a local time as an input has it, or a number in the stream. */
export function planBody(
  by: "time" | "seq",
  from: string,
  rules: "built_in" | "unchanged" | Record<string, string>,
): Body | { problem: string } {
  if (typeof rules === "object" && Object.keys(rules).length === 0)
    return { problem: "Change a rule first, or choose its file." };
  if (by === "seq") {
    const seq = Number(from);
    if (from.trim() === "" || !Number.isSafeInteger(seq) || seq < 1)
      return { problem: "A message has a whole number from 1 on." };
    return { from_seq: seq, rules };
  }
  const ms = Date.parse(from);
  if (Number.isNaN(ms)) return { problem: "Choose a day and a time." };
  return { from_time: new Date(ms).toISOString(), rules };
}
