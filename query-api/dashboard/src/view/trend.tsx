/** Cards and chart: the figures of the period, and one of them over time. */
import type { Client } from "../api/client";
import type { Annotation, Meta, QueryBody } from "../api/types";
import { useQuery } from "../api/use-query";
import { Chart, type Mark } from "../chart/chart";
import { SeriesTable } from "../chart/series-table";
import { type MetricName, metricOf } from "../report/metrics";
import { seriesMetrics, seriesQuery, type View } from "../report/queries";
import { type Bucket, buildSeries, type Series } from "../report/series";
import { filtersBy } from "../state/filters";
import { INTERVAL_NAMES, type Interval, isInterval } from "../state/interval";
import { type CardAnswers, Cards } from "./cards";
import { Problem } from "./problem";

interface Props {
  client: Client;
  view: View;
  zone: string;
  answers: CardAnswers;
  metric: MetricName;
  intervals: Interval[];
  table: boolean;
  annotations: Annotation[];
  generation: number;
  onMetric: (metric: MetricName) => void;
  onInterval: (interval: Interval) => void;
  onTable: (table: boolean) => void;
  onDay: (date: string) => void;
  onZoom: (from: string, to: string) => void;
  /** Writes a note at a moment; absent for readers who may not. */
  onNote?: ((at: string) => void) | undefined;
  onApi: (title: string, body: QueryBody) => void;
  onMeta: (meta: Meta) => void;
  onRetry: () => void;
}

export function Trend(props: Props) {
  const { client, view, answers, intervals } = props;
  const metric = metricOf(props.metric);
  const query = seriesQuery(view, metric.group);
  const context = { metrics: seriesMetrics(metric.group), interval: view.interval, group: metric.group };
  const loaded = useQuery(client, query, context, props.generation, props.onMeta);
  const title = `${metric.label} per ${INTERVAL_NAMES[view.interval]}`;
  // An answer of another group of metrics has nothing to show for this one.
  const fits = loaded.context?.group === metric.group;
  return (
    <section class="trend" aria-labelledby="trend-title">
      <Cards
        answers={answers}
        chosen={props.metric}
        byGoal={filtersBy(view.filters, "goal")}
        compared={view.comparison !== null}
        onMetric={props.onMetric}
      />
      <div class="trend-head">
        <h2 id="trend-title">
          {metric.label} <span class="quiet-text">per</span>{" "}
          {intervals.length > 1 ? (
            <select
              class="inline-select"
              aria-label="Length of the buckets"
              value={view.interval}
              onChange={(event) => {
                const chosen = event.currentTarget.value;
                if (isInterval(chosen)) props.onInterval(chosen);
              }}
            >
              {intervals.map((interval) => (
                <option key={interval} value={interval}>
                  {INTERVAL_NAMES[interval]}
                </option>
              ))}
            </select>
          ) : (
            INTERVAL_NAMES[view.interval]
          )}
        </h2>
        {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a form around buttons. */}
        <div class="tabs" role="group" aria-label="Show figures as">
          <button type="button" aria-pressed={!props.table} onClick={() => props.onTable(false)}>
            Chart
          </button>
          <button type="button" aria-pressed={props.table} onClick={() => props.onTable(true)}>
            Table
          </button>
          <button type="button" onClick={() => props.onApi(title, query)}>
            API
          </button>
        </div>
      </div>
      {loaded.error && !loaded.current ? (
        <Problem error={loaded.error} onRetry={props.onRetry} />
      ) : loaded.answer && loaded.context && fits ? (
        <div class={loaded.current ? "trend-body" : "trend-body stale"}>
          <Body
            {...props}
            series={buildSeries(
              loaded.answer,
              loaded.context.metrics,
              loaded.context.interval,
              props.zone,
              client.now(),
            )}
            title={title}
          />
        </div>
      ) : (
        <div class="chart-skeleton skeleton" aria-hidden="true" />
      )}
    </section>
  );
}

function Body(props: Props & { series: Series; title: string }) {
  const { series, table, onNote } = props;
  const metric = metricOf(props.metric);
  if (table) {
    return (
      <SeriesTable
        series={series}
        metric={metric}
        caption={`Figures per ${INTERVAL_NAMES[series.interval]}`}
      />
    );
  }
  const dayOf = (bucket: Bucket) => bucket.label.slice(0, 10);
  const severalDays = new Set(series.buckets.map(dayOf)).size > 1;
  return (
    <>
      <Chart
        series={series}
        metric={metric}
        marks={marksOf(props.annotations, series)}
        onDay={series.interval === "day" ? props.onDay : undefined}
        onZoom={
          severalDays && series.interval !== "minute"
            ? (from, to) => props.onZoom(dayOf(from), lastDay(to, series, props.view))
            : undefined
        }
        onNote={
          onNote && ((bucket) => onNote(bucket.label.length > 10 ? bucket.label.slice(0, 16) : bucket.label))
        }
      />
      <Legend series={series} />
    </>
  );
}

/** The last day of a bucket: the day before the next one begins. */
function lastDay(bucket: Bucket, series: Series, view: View): string {
  if (series.interval !== "week" && series.interval !== "month") return bucket.label.slice(0, 10);
  const next = series.buckets[series.buckets.indexOf(bucket) + 1];
  if (!next) return view.range.to;
  return new Date(Date.parse(`${next.label}T00:00:00Z`) - 86_400_000).toISOString().slice(0, 10);
}

/** Notes by the bucket that their moment lies in. */
function marksOf(annotations: Annotation[], series: Series): Mark[] {
  const marks = new Map<number, string[]>();
  for (const { at, note } of annotations) {
    const moment = at.replace("T", " ");
    const index = series.buckets.findLastIndex((bucket) => bucket.label.slice(0, moment.length) <= moment);
    const first = series.buckets[0]?.label ?? "";
    const final = series.buckets.at(-1)?.label ?? "";
    if (index < 0 || moment < first.slice(0, moment.length)) continue;
    const isDays = series.interval === "week" || series.interval === "month";
    if (!isDays && moment.slice(0, 10) > final.slice(0, 10)) continue;
    marks.set(index, [...(marks.get(index) ?? []), note]);
  }
  return [...marks].map(([index, notes]) => ({ index, notes }));
}

function Legend({ series }: { series: Series }) {
  const open = series.buckets.some((bucket) => bucket.open && !bucket.unfinished);
  const unfinished = series.buckets.some((bucket) => bucket.unfinished);
  if (!series.compared && !open && !unfinished) return null;
  return (
    <p class="legend">
      {series.compared && (
        <span>
          <span class="ghost-key" aria-hidden="true" /> compared period
        </span>
      )}
      {unfinished && (
        <span>
          <span class="dotted-key" aria-hidden="true" /> not over yet
        </span>
      )}
      {open && (
        <span>
          <span class="hatch-key" aria-hidden="true" /> may still rise, late events count
        </span>
      )}
    </p>
  );
}
