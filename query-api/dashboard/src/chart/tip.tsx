/** What the chart says about the bucket that is pointed at. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { changeText, metricValue } from "../format";
import type { Metric } from "../report/metrics";
import type { Bucket, Series } from "../report/series";
import { fullLabel } from "./labels";

interface Props {
  bucket: Bucket;
  series: Series;
  metric: Metric;
  notes: string[];
  x: number;
  width: number;
  leads: boolean;
}

export function Tip({ bucket, series, metric, notes, x, width, leads }: Props) {
  const tip = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = tip.current;
    if (!element) return;
    const own = element.offsetWidth;
    const beside = x + 14 + own > width ? x - own - 14 : x + 14;
    element.style.transform = `translateX(${Math.max(0, beside)}px)`;
  });
  const value = bucket.values[metric.name];
  const before = bucket.before?.values[metric.name];
  const text = (figure: number | null | undefined) =>
    metricValue(figure, metric.unit, undefined, series.currency);
  return (
    <div class="chart-tip" ref={tip} aria-hidden="true">
      <div class="chart-tip-date">{fullLabel(bucket.label, series.interval)}</div>
      <div class="chart-tip-value">
        <strong>{text(value)}</strong> {metric.label.toLowerCase()}
      </div>
      {bucket.before && (
        <div class="chart-tip-before">
          <span class="ghost-key" /> {text(before)} · {fullLabel(bucket.before.label, series.interval)}
          {typeof value === "number" && typeof before === "number" && before > 0 && (
            <> · {changeText(changeOf(value, before, metric), metric.unit, before)}</>
          )}
        </div>
      )}
      {notes.map((note) => (
        <div key={note} class="chart-tip-mark">
          {note}
        </div>
      ))}
      {bucket.unfinished ? (
        <div class="chart-tip-note">Not over yet</div>
      ) : (
        bucket.open && <div class="chart-tip-note">May still rise: late events count</div>
      )}
      {leads && !bucket.unfinished && (
        <div class="chart-tip-note">
          {matchMedia("(pointer: coarse)").matches
            ? "Tap again for this day"
            : "Click for this day, drag to zoom"}
        </div>
      )}
    </div>
  );
}

function changeOf(value: number, before: number, metric: Metric): number {
  return metric.unit.startsWith("percent")
    ? Math.round((value - before) * 10) / 10
    : Math.round((value / before - 1) * 100);
}
