/** Cards and chart: the figures of the period, and one of them over time. */
import type { Client } from "../api/client";
import type { Meta } from "../api/types";
import { type Loaded, useQuery } from "../api/use-query";
import { Chart } from "../chart/chart";
import { SeriesTable } from "../chart/series-table";
import { type MetricName, metricOf } from "../report/metrics";
import { SERIES_METRICS, seriesQuery, type View } from "../report/queries";
import { buildSeries } from "../report/series";
import type { Range } from "../state/period";
import { Cards } from "./cards";
import { Problem } from "./problem";

interface Props {
  client: Client;
  view: View;
  zone: string;
  cards: Loaded<MetricName[]>;
  metric: MetricName;
  table: boolean;
  generation: number;
  /** The watermark, where known. */
  complete: number | null;
  onMetric: (metric: MetricName) => void;
  onTable: (table: boolean) => void;
  onDay: (date: string) => void;
  onMeta: (meta: Meta) => void;
  onRetry: () => void;
}

export function Trend(props: Props) {
  const { client, view, cards, generation } = props;
  const metric = metricOf(props.metric);
  const loaded = useQuery<Range>(client, seriesQuery(view), view.range, generation, props.onMeta);
  const range = loaded.context ?? view.range;
  const title = `${metric.label} per ${range.bucket}`;
  return (
    <section class="surface trend" aria-labelledby="trend-title">
      <Cards loaded={cards} chosen={props.metric} onMetric={props.onMetric} />
      <div class="trend-head">
        <div>
          <h2 id="trend-title">{title}</h2>
          <p class="meaning">{metric.meaning}</p>
        </div>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a form around buttons. */}
        <div class="tabs" role="group" aria-label="Show figures as">
          <button type="button" aria-pressed={!props.table} onClick={() => props.onTable(false)}>
            Chart
          </button>
          <button type="button" aria-pressed={props.table} onClick={() => props.onTable(true)}>
            Table
          </button>
        </div>
      </div>
      <Body {...props} loaded={loaded} title={title} />
    </section>
  );
}

function Body(props: Props & { loaded: Loaded<Range>; title: string }) {
  const { loaded, client, zone, table, title } = props;
  if (loaded.error && !loaded.current) {
    return <Problem error={loaded.error} onRetry={props.onRetry} />;
  }
  if (!loaded.answer || !loaded.context) return <div class="chart-skeleton skeleton" aria-hidden="true" />;
  const now = client.now();
  const buckets = buildSeries(
    loaded.answer.results,
    SERIES_METRICS,
    loaded.context,
    zone,
    now,
    props.complete ?? now,
  );
  return (
    <div class={loaded.current ? "trend-body" : "trend-body stale"}>
      {table ? (
        <SeriesTable buckets={buckets} caption={title.replace(/^.* per/, "All figures per")} />
      ) : (
        <Chart
          buckets={buckets}
          metric={metricOf(props.metric)}
          onDay={loaded.context.bucket === "day" ? props.onDay : undefined}
        />
      )}
    </div>
  );
}
