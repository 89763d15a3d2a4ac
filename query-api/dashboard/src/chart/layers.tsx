/** The parts of the drawing that lie behind the line. */
import { axisValue } from "../format";
import type { Metric } from "../report/metrics";
import type { Bucket, Series } from "../report/series";
import { extent, type Frame, labelledBuckets, labelledMonths, type Shapes } from "./geometry";
import { shortLabel } from "./labels";

/** Beyond this many days the axis names months. */
const MONTHS_FROM = 100;

/** Lines at round values, names of buckets below. */
export function Grid(props: {
  values: number[];
  series: Series;
  metric: Metric;
  frame: Frame;
  drawn: Shapes;
}) {
  const { values, series, metric, frame, drawn } = props;
  const plot = frame.width - frame.left - frame.right;
  const labels = series.buckets.map((bucket) => bucket.label);
  const isDays = (labels[0]?.length ?? 0) === 10;
  const months = isDays && (series.interval === "month" || labels.length > MONTHS_FROM);
  const marked =
    months && series.interval !== "month"
      ? labelledMonths(labels, plot, 52)
      : labelledBuckets(labels.length, plot, 72);
  // Hours of several days: midnight is named by its day.
  const days = !isDays && new Set(labels.map((label) => label.slice(0, 10))).size > 1;
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
          <text class="chart-label" x={frame.left - 8} y={drawn.y(value)} dy="0.34em" text-anchor="end">
            {axisValue(value, metric.unit, undefined, series.currency)}
          </text>
        </g>
      ))}
      {marked.map((index) => (
        <text
          key={labels[index]}
          class="chart-label"
          x={drawn.x(index)}
          y={frame.height - 7}
          text-anchor={anchor(drawn.x(index), frame)}
        >
          {shortLabel(labels[index] ?? "", series.interval, months || days)}
        </text>
      ))}
    </g>
  );
}

function anchor(x: number, frame: Frame): "start" | "middle" | "end" {
  if (x > frame.width - 34) return "end";
  return x < 30 ? "start" : "middle";
}

/** Hatching behind the buckets whose figures may still rise. */
export function Open({ buckets, drawn, frame }: { buckets: Bucket[]; drawn: Shapes; frame: Frame }) {
  const first = buckets.findIndex((bucket) => bucket.open);
  if (first < 0) return null;
  const last = buckets.findLastIndex((bucket) => bucket.open);
  const [from, to] = extent(first, last, drawn, buckets.length, frame);
  return (
    <g>
      <defs>
        <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
          <line class="chart-hatch" x1="0" x2="0" y1="0" y2="7" />
        </pattern>
      </defs>
      <rect
        class="chart-open-ground"
        data-open={last - first + 1}
        x={from}
        y={frame.top}
        width={Math.max(0, to - from)}
        height={frame.height - frame.top - frame.bottom}
        fill="url(#hatch)"
      />
    </g>
  );
}

/** The stretch that is being chosen. */
export function Selection(props: { span: [number, number]; drawn: Shapes; count: number; frame: Frame }) {
  const { span, drawn, count, frame } = props;
  const [from, to] = extent(span[0], span[1], drawn, count, frame);
  return (
    <rect
      class="chart-selection"
      x={from}
      y={frame.top - 6}
      width={Math.max(1, to - from)}
      height={frame.height - frame.top - frame.bottom + 6}
    />
  );
}
