/** The headline figures; each chooses what the chart shows. */
import type { Loaded } from "../api/use-query";
import { metricValue } from "../format";
import { isMean, METRICS, type MetricName } from "../report/metrics";

interface Props {
  loaded: Loaded<MetricName[]>;
  chosen: MetricName;
  onMetric: (metric: MetricName) => void;
}

/** `loaded`'s context names the metrics in the order of the answer. */
export function Cards({ loaded, chosen, onMetric }: Props) {
  // Figures of an earlier question must not stand under a new one that failed.
  const failed = loaded.error !== null && !loaded.current;
  const row = failed ? undefined : loaded.answer?.results[0];
  const visits = row?.metrics[loaded.context?.indexOf("visits") ?? -1];
  const known = failed || loaded.answer !== null;
  return (
    <ul
      class={loaded.answer && !loaded.current && !failed ? "cards stale" : "cards"}
      aria-label="Key figures: choose what the chart shows"
    >
      {METRICS.map((metric) => {
        const index = loaded.context?.indexOf(metric.name) ?? -1;
        const asked = loaded.context === null || index >= 0;
        const value = row && index >= 0 && !(visits === 0 && isMean(metric)) ? row.metrics[index] : null;
        return (
          <li key={metric.name}>
            <button
              type="button"
              class="card"
              aria-pressed={metric.name === chosen}
              title={asked ? metric.meaning : "Not defined while a page filter is on."}
              onClick={() => onMetric(metric.name)}
            >
              <span class="card-label">{metric.label}</span>
              <span class={known ? "card-value" : "card-value skeleton"}>
                {known ? metricValue(value, metric.unit) : ""}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
