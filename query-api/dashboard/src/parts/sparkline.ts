/** A small line through values, without axes. */

/** The line of a sparkline through values, in a box of this size, and the ground below it. */
export function sparkline(
  values: number[],
  width: number,
  height: number,
): { line: string; area: string } | null {
  if (values.length < 2) return null;
  const most = Math.max(...values, 1);
  const step = width / (values.length - 1);
  const points = values.map((value, index) => {
    const y = 1.5 + (height - 3) * (1 - value / most);
    return `${round(index * step)},${round(y)}`;
  });
  const line = `M${points.join("L")}`;
  return { line, area: `${line}L${width},${height}L0,${height}Z` };
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
