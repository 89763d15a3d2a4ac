/** The chart's figures as a table, newest first. */
import { metricValue } from "../format";
import { METRICS } from "../report/metrics";
import type { Bucket } from "../report/series";
import { fullLabel, shortLabel } from "./labels";

/** All metrics of every bucket that has begun. */
export function SeriesTable({ buckets, caption }: { buckets: Bucket[]; caption: string }) {
  const rows = buckets.filter((bucket) => !bucket.ahead).reverse();
  const hours = (buckets[0]?.label.length ?? 0) > 10;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard.
    <section class="series-table" tabIndex={0} aria-label={caption}>
      <table>
        <caption class="hidden">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">{hours ? "Hour" : "Day"}</th>
            {METRICS.map((metric) => (
              <th scope="col" class="number" key={metric.name}>
                {metric.label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((bucket) => (
            <tr key={bucket.label}>
              <th scope="row">
                {hours ? shortLabel(bucket.label, false) : fullLabel(bucket.label)}
                {bucket.open && <span class="tag">still counting</span>}
              </th>
              {METRICS.map((metric) => (
                <td class="number" key={metric.name}>
                  {metricValue(bucket.values[metric.name], metric.unit)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
