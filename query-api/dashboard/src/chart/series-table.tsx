/** The chart's figures as a table, newest first. */
import { metricValue } from "../format";
import { METRICS, type Metric } from "../report/metrics";
import type { Series } from "../report/series";
import { INTERVAL_NAMES } from "../state/interval";
import { fullLabel } from "./labels";

/** All metrics of every bucket that has begun, those of the comparison beside the chosen one. */
export function SeriesTable({
  series,
  metric,
  caption,
}: {
  series: Series;
  metric: Metric;
  caption: string;
}) {
  const rows = series.buckets.filter((bucket) => !bucket.ahead).reverse();
  const columns = METRICS.filter(
    (one) => one.group === metric.group && rows.some((row) => one.name in row.values),
  );
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard.
    <section class="series-table" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{capital(INTERVAL_NAMES[series.interval])}</th>
            {columns.map((column) => (
              <th scope="col" class="number" key={column.name}>
                {column.label}
              </th>
            ))}
            {series.compared && (
              <th scope="col" class="number">
                {metric.label}, before
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {rows.map((bucket) => (
            <tr key={bucket.label}>
              <th scope="row">
                {fullLabel(bucket.label, series.interval)}
                {bucket.unfinished ? (
                  <span class="tag">not over yet</span>
                ) : (
                  bucket.open && <span class="tag">may still rise</span>
                )}
              </th>
              {columns.map((column) => (
                <td class="number" key={column.name}>
                  {metricValue(bucket.values[column.name], column.unit, undefined, series.currency)}
                </td>
              ))}
              {series.compared && (
                <td class="number">
                  {metricValue(bucket.before?.values[metric.name], metric.unit, undefined, series.currency)}
                </td>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
