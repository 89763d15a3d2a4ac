/** One metric over time as a line that mouse, finger and keyboard can read. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { axisValue, metricValue } from "../format";
import type { Metric } from "../report/metrics";
import type { Bucket } from "../report/series";
import {
  bucketByKey,
  type Frame,
  gridValues,
  labelledBuckets,
  labelledMonths,
  nearestBucket,
  type Shapes,
  shapes,
} from "./geometry";
import { fullLabel, shortLabel } from "./labels";

const HEIGHT = 280;
/** Beyond this many days the axis names months. */
const MONTHS_FROM = 100;

interface Props {
  buckets: Bucket[];
  metric: Metric;
  /** Leads into a single day; absent when the buckets are hours. */
  onDay?: ((date: string) => void) | undefined;
}

/** The chart; its grid, line and pointer are separate so that moving the pointer redraws little. */
export function Chart({ buckets, metric, onDay }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const width = useWidth(box);
  const [at, setAt] = useState<number | null>(null);
  // A new series has other buckets to point at.
  useEffect(() => setAt(null), [buckets.length, buckets[0]?.label]);

  const reached = buckets.filter((bucket) => !bucket.ahead).length;
  const values = buckets.map((bucket) => (bucket.ahead ? null : bucket.values[metric.name]));
  const grid = gridValues(Math.max(0, ...values.map((value) => value ?? 0)), metric.unit);
  const top = grid.at(-1) ?? 0;
  const longest = Math.max(...grid.map((value) => axisValue(value, metric.unit).length));
  const frame: Frame = {
    width,
    height: HEIGHT,
    left: 28 + Math.ceil(longest * 7.2),
    right: 18,
    top: 16,
    bottom: 30,
  };
  const drawn = shapes(
    buckets.map((bucket, index) => ({ value: values[index] ?? null, open: bucket.open })),
    top,
    frame,
  );
  const current = at === null ? Math.max(0, reached - 1) : Math.min(at, Math.max(0, reached - 1));
  const bucket = buckets[current];

  // A finger's first touch shows a bucket; only its second opens the day.
  const sure = useRef(false);
  const bucketAt = (event: PointerEvent) => {
    const left = box.current?.getBoundingClientRect().left ?? 0;
    return Math.min(reached - 1, nearestBucket(event.clientX - left, buckets.length, frame));
  };
  const press = (event: KeyboardEvent) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Enter" && onDay && bucket) onDay(bucket.label.slice(0, 10));
    else if (event.key === "Escape") setAt(null);
    else {
      const next = bucketByKey(event.key, current, reached);
      if (next === null) return;
      setAt(next);
    }
    event.preventDefault();
  };

  return (
    <div class="chart">
      <div
        ref={box}
        class="chart-plot"
        role="slider"
        tabIndex={0}
        aria-label={`${metric.label} over time`}
        aria-orientation="horizontal"
        aria-valuemin={0}
        aria-valuemax={Math.max(0, reached - 1)}
        aria-valuenow={current}
        aria-describedby={onDay ? "chart-help" : undefined}
        aria-valuetext={bucket ? spoken(bucket, metric) : "No figures"}
        onPointerMove={(event) => setAt(bucketAt(event))}
        onPointerDown={(event) => {
          sure.current = event.pointerType === "mouse" || (at !== null && at === bucketAt(event));
          setAt(bucketAt(event));
        }}
        onPointerLeave={(event) => event.pointerType === "mouse" && setAt(null)}
        onClick={() => sure.current && at !== null && onDay && bucket && onDay(bucket.label.slice(0, 10))}
        onFocus={(event) => event.currentTarget.matches(":focus-visible") && setAt(current)}
        onBlur={() => setAt(null)}
        onKeyDown={press}
      >
        {width > 0 && (
          <svg width={width} height={HEIGHT} aria-hidden="true">
            <Grid values={grid} buckets={buckets} metric={metric} frame={frame} drawn={drawn} />
            <path class="chart-area" d={drawn.area} />
            <path class="chart-line" d={drawn.line} />
            <path class="chart-line chart-open" d={drawn.openLine} />
            {drawn.lone.map((index) => (
              <circle
                key={index}
                class="chart-lone"
                cx={drawn.x(index)}
                cy={drawn.y(values[index] ?? 0)}
                r="3.5"
              />
            ))}
            {at !== null && bucket && (
              <g>
                <line
                  class="chart-cursor"
                  x1={drawn.x(current)}
                  x2={drawn.x(current)}
                  y1={frame.top - 6}
                  y2={HEIGHT - frame.bottom}
                />
                {values[current] !== null && (
                  <circle class="chart-dot" cx={drawn.x(current)} cy={drawn.y(values[current] ?? 0)} r="5" />
                )}
              </g>
            )}
          </svg>
        )}
      </div>
      {onDay && (
        <p class="hidden" id="chart-help">
          Arrow keys move along the days, Enter opens one.
        </p>
      )}
      {at !== null && bucket && (
        <Tip bucket={bucket} metric={metric} x={drawn.x(current)} width={width} leads={onDay !== undefined} />
      )}
    </div>
  );
}

function spoken(bucket: Bucket, metric: Metric): string {
  const value = metricValue(bucket.values[metric.name], metric.unit);
  return `${fullLabel(bucket.label)}: ${value} ${metric.label.toLowerCase()}${bucket.open ? ", still counting" : ""}`;
}

function Grid(props: { values: number[]; buckets: Bucket[]; metric: Metric; frame: Frame; drawn: Shapes }) {
  const { values, buckets, metric, frame, drawn } = props;
  const plot = frame.width - frame.left - frame.right;
  const labels = buckets.map((bucket) => bucket.label);
  const months = labels.length > MONTHS_FROM && (labels[0]?.length ?? 0) === 10;
  const marked = months ? labelledMonths(labels, plot, 52) : labelledBuckets(labels.length, plot, 72);
  return (
    <g>
      {values.map((value) => (
        <g key={value}>
          <line
            class={value === 0 ? "chart-floor" : "chart-grid"}
            x1={frame.left}
            x2={frame.width - frame.right}
            y1={drawn.y(value)}
            y2={drawn.y(value)}
          />
          <text class="chart-label" x={frame.left - 10} y={drawn.y(value)} dy="0.34em" text-anchor="end">
            {axisValue(value, metric.unit)}
          </text>
        </g>
      ))}
      {marked.map((index) => (
        <text
          key={labels[index]}
          class="chart-label"
          x={drawn.x(index)}
          y={frame.height - 8}
          text-anchor={drawn.x(index) > frame.width - 34 ? "end" : "middle"}
        >
          {shortLabel(labels[index] ?? "", months)}
        </text>
      ))}
    </g>
  );
}

function Tip(props: { bucket: Bucket; metric: Metric; x: number; width: number; leads: boolean }) {
  const { bucket, metric, x, width, leads } = props;
  const tip = useRef<HTMLDivElement>(null);
  useLayoutEffect(() => {
    const element = tip.current;
    if (!element) return;
    const own = element.offsetWidth;
    const beside = x + 14 + own > width ? x - own - 14 : x + 14;
    element.style.transform = `translateX(${Math.max(0, beside)}px)`;
  });
  return (
    <div class="chart-tip" ref={tip} aria-hidden="true">
      <div class="chart-tip-date">{fullLabel(bucket.label)}</div>
      <div class="chart-tip-value">
        <strong>{metricValue(bucket.values[metric.name], metric.unit)}</strong> {metric.label.toLowerCase()}
      </div>
      {bucket.open && <div class="chart-tip-note">Still counting</div>}
      {leads && !bucket.open && (
        <div class="chart-tip-note">
          {matchMedia("(pointer: coarse)").matches ? "Tap again for this day" : "Click for this day"}
        </div>
      )}
    </div>
  );
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
