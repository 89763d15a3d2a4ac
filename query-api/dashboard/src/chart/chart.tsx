/** One metric over time as a line that mouse, finger and keyboard can read. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { axisValue, metricValue } from "../format";
import type { Metric } from "../report/metrics";
import type { Bucket, Series } from "../report/series";
import { bucketByKey, type Frame, gridValues, nearestBucket, shapes } from "./geometry";
import { fullLabel } from "./labels";
import { Grid, Open, Selection } from "./layers";
import { Tip } from "./tip";
import { useBrush } from "./use-brush";

const HEIGHT = 264;

/** A note at a bucket. */
export interface Mark {
  index: number;
  notes: string[];
}

interface Props {
  series: Series;
  metric: Metric;
  marks: Mark[];
  /** Leads into a single day; absent when buckets are shorter. */
  onDay?: ((date: string) => void) | undefined;
  /** Shows a stretch of buckets, both ends included; absent where there is nothing to zoom into. */
  onZoom?: ((from: Bucket, to: Bucket) => void) | undefined;
  /** Writes a note at a bucket. */
  onNote?: ((bucket: Bucket) => void) | undefined;
}

export function Chart({ series, metric, marks, onDay, onZoom, onNote }: Props) {
  const { buckets, currency } = series;
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [at, setAt] = useState<number | null>(null);
  // A new series has other buckets to point at.
  useEffect(() => setAt(null), [buckets.length, buckets[0]?.label]);

  const reached = buckets.filter((bucket) => !bucket.ahead).length;
  const points = buckets.map((bucket) => ({
    value: bucket.ahead ? null : (bucket.values[metric.name] ?? null),
    before: bucket.before?.values[metric.name] ?? null,
    open: bucket.unfinished,
  }));
  const highest = Math.max(0, ...points.flatMap((point) => [point.value ?? 0, point.before ?? 0]));
  const grid = gridValues(highest, metric.unit);
  const longest = Math.max(...grid.map((value) => axisValue(value, metric.unit, undefined, currency).length));
  const frame: Frame = {
    width,
    height: HEIGHT,
    left: 14 + Math.ceil(longest * 7.2),
    right: 10,
    top: 20,
    bottom: 28,
  };
  const drawn = shapes(points, grid.at(-1) ?? 0, frame);
  const last = Math.max(0, reached - 1);
  const current = at === null ? last : Math.min(at, last);
  const bucket = buckets[current];

  const bucketAt = (x: number) => {
    const left = box.current?.getBoundingClientRect().left ?? 0;
    return Math.min(last, nearestBucket(x - left, buckets.length, frame));
  };
  const brush = useBrush({
    enabled: onZoom !== undefined && reached > 1,
    bucketAt,
    onPoint: setAt,
    onChoose: (index) => {
      const chosen = buckets[index];
      if (chosen && onDay) onDay(chosen.label.slice(0, 10));
    },
    onSpan: (from, to) => {
      const [first, final] = [buckets[from], buckets[to]];
      if (first && final) onZoom?.(first, final);
    },
  });
  const press = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter") {
      if (brush.span) brush.finish();
      else if (onDay && bucket) onDay(bucket.label.slice(0, 10));
    } else if (event.key === "Escape" && (at !== null || brush.span)) {
      brush.cancel();
      setAt(null);
    } else if (event.key === "m" && onNote && bucket) onNote(bucket);
    else {
      const next = bucketByKey(event.key, current, reached);
      if (next === null) return;
      if (event.shiftKey) brush.extend(current, next);
      else brush.cancel();
      setAt(next);
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const notes = marks.find((mark) => mark.index === current)?.notes ?? [];
  const help = [
    "Arrow keys move along the chart.",
    onDay && "Enter opens the day.",
    onZoom && "Shift with an arrow key marks a stretch, Enter shows it.",
    onNote && "M writes a note.",
  ].filter(Boolean);

  return (
    <div class="chart">
      <div
        ref={box}
        class={brush.span ? "chart-plot brushing" : "chart-plot"}
        role="slider"
        tabIndex={0}
        data-chart
        aria-label={`${metric.label} over time`}
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={last}
        aria-valuenow={current}
        aria-describedby="chart-help"
        aria-valuetext={bucket ? spoken(bucket, series, metric, notes) : "No figures"}
        {...brush.handlers}
        onPointerLeave={(event) => event.pointerType === "mouse" && !brush.span && setAt(null)}
        onFocus={(event) => event.currentTarget.matches(":focus-visible") && setAt(current)}
        onBlur={() => {
          brush.cancel();
          setAt(null);
        }}
        onKeyDown={press}
      >
        {width > 0 && (
          <svg width={width} height={HEIGHT} aria-hidden="true">
            <Open buckets={buckets} drawn={drawn} frame={frame} />
            <Grid values={grid} series={series} metric={metric} frame={frame} drawn={drawn} />
            <path class="chart-area" d={drawn.area} />
            <path class="chart-ghost" d={drawn.ghost} />
            <path class="chart-line" d={drawn.line} />
            <path class="chart-line chart-open" d={drawn.openLine} />
            {drawn.lone.map((index) => (
              <circle
                key={index}
                class="chart-lone"
                cx={drawn.x(index)}
                cy={drawn.y(points[index]?.value ?? 0)}
                r="3.5"
              />
            ))}
            {marks.map((mark) => (
              <g key={mark.index} class="chart-mark">
                <line
                  x1={drawn.x(mark.index)}
                  x2={drawn.x(mark.index)}
                  y1={frame.top - 8}
                  y2={HEIGHT - frame.bottom}
                />
                <circle cx={drawn.x(mark.index)} cy={frame.top - 10} r="4" />
              </g>
            ))}
            {brush.span && <Selection span={brush.span} drawn={drawn} count={buckets.length} frame={frame} />}
            {at !== null && bucket && (
              <g>
                <line
                  class="chart-cursor"
                  x1={drawn.x(current)}
                  x2={drawn.x(current)}
                  y1={frame.top - 6}
                  y2={HEIGHT - frame.bottom}
                />
                {points[current]?.before !== null && (
                  <circle
                    class="chart-dot chart-dot-before"
                    cx={drawn.x(current)}
                    cy={drawn.y(points[current]?.before ?? 0)}
                    r="4"
                  />
                )}
                {points[current]?.value !== null && (
                  <circle
                    class="chart-dot"
                    cx={drawn.x(current)}
                    cy={drawn.y(points[current]?.value ?? 0)}
                    r="5"
                  />
                )}
              </g>
            )}
          </svg>
        )}
      </div>
      <p class="hidden" id="chart-help">
        {help.join(" ")}
      </p>
      {at !== null && bucket && (
        <Tip
          bucket={bucket}
          series={series}
          metric={metric}
          notes={notes}
          x={drawn.x(current)}
          width={width}
          leads={onDay !== undefined && !brush.span}
        />
      )}
    </div>
  );
}

function spoken(bucket: Bucket, series: Series, metric: Metric, notes: string[]): string {
  const value = (from: Bucket["values"]) =>
    metricValue(from[metric.name], metric.unit, undefined, series.currency);
  const parts = [
    `${fullLabel(bucket.label, series.interval)}: ${value(bucket.values)} ${metric.label.toLowerCase()}`,
  ];
  if (bucket.before) parts.push(`${value(bucket.before.values)} in the period before`);
  if (bucket.unfinished) parts.push("not over yet");
  else if (bucket.open) parts.push("may still rise");
  for (const note of notes) parts.push(`note: ${note}`);
  return parts.join(", ");
}

function useWidth(box: { current: HTMLDivElement | null }): number {
  const [width, setWidth] = useState(0);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    setWidth(element.clientWidth);
    const observer = new ResizeObserver(() => setWidth(element.clientWidth));
    observer.observe(element);
    return () => observer.disconnect();
  }, [box]);
  return width;
}
