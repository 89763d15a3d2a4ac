/** Where the chart's parts lie: plain arithmetic, no DOM. */
import { area, line } from "d3-shape";
import type { Unit } from "../format";

/** The drawing's size and the room around the plot, in CSS pixels. */
export interface Frame {
  width: number;
  height: number;
  left: number;
  right: number;
  top: number;
  bottom: number;
}

/** A value of the series; null has no place in the drawing. */
export interface Point {
  value: number | null;
  /** What it is compared with. */
  before?: number | null;
  open: boolean;
}

/** The finished shapes; all `d` texts are SVG paths. */
export interface Shapes {
  x: (index: number) => number;
  y: (value: number) => number;
  /** The line over finished buckets. */
  line: string;
  /** The line into and through open buckets, drawn dotted. */
  openLine: string;
  area: string;
  /** The line of what it is compared with. */
  ghost: string;
  /** Values without neighbours, which no line would show. */
  lone: number[];
}

const DURATION_STEPS = [
  1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800, 86_400,
];

/** At most five values for the horizontal grid, from 0 to at least `max`. */
export function gridValues(max: number, unit: Unit): number[] {
  if (!(max > 0)) return [0, 1];
  const step =
    unit === "seconds" ? durationStep(max) : decimalStep(max, unit !== "ratio" && unit !== "percent2");
  const values = upTo(max, step);
  return unit.startsWith("percent") ? values.filter((value) => value <= 100) : values;
}

function durationStep(max: number): number {
  return DURATION_STEPS.find((step) => max / step <= 4) ?? Math.ceil(max / 4 / 86_400) * 86_400;
}

function decimalStep(max: number, whole: boolean): number {
  const power = 10 ** Math.floor(Math.log10(max / 4));
  const factors = power >= 10 ? [1, 2, 2.5, 5, 10] : [1, 2, 5, 10];
  const step = power * (factors.find((factor) => max / (power * factor) <= 4 + 1e-9) ?? 10);
  return whole ? Math.max(1, step) : step;
}

function upTo(max: number, step: number): number[] {
  const values: number[] = [];
  const last = Math.ceil(max / step - 1e-9);
  for (let index = 0; index <= last; index++) values.push(Number((index * step).toPrecision(12)));
  return values;
}

/** Which buckets get a label below the plot, so that labels keep `gap` pixels. */
export function labelledBuckets(count: number, plotWidth: number, gap: number): number[] {
  if (count === 0) return [];
  const room = Math.max(1, Math.floor(plotWidth / gap));
  const steps = [1, 2, 3, 4, 6, 7, 12, 14, 28];
  const step = steps.find((candidate) => count / candidate <= room) ?? Math.ceil(count / room);
  const found: number[] = [];
  for (let index = 0; index < count; index += step) found.push(index);
  return found;
}

/** Where months begin in a list of days, thinned to keep `gap` pixels. */
export function labelledMonths(labels: string[], plotWidth: number, gap: number): number[] {
  const starts = labels.flatMap((label, index) => (label.slice(8, 10) === "01" ? [index] : []));
  const room = Math.max(1, Math.floor(plotWidth / gap));
  const step = [1, 2, 3, 6, 12, 24, 36, 60].find((candidate) => starts.length / candidate <= room) ?? 120;
  if (step === 1) return starts;
  return starts.filter((index) => {
    const label = labels[index] ?? "";
    return (Number(label.slice(0, 4)) * 12 + Number(label.slice(5, 7)) - 1) % step === 0;
  });
}

/** The shapes of a series in a frame, `top` being the grid's highest value. */
export function shapes(points: Point[], top: number, frame: Frame): Shapes {
  const plot = frame.width - frame.left - frame.right;
  const floor = frame.height - frame.bottom;
  const x = (index: number) =>
    frame.left + (points.length <= 1 ? plot / 2 : (index / (points.length - 1)) * plot);
  const y = (value: number) => floor - (top > 0 ? value / top : 0) * (floor - frame.top);
  const indexes = points.map((_, index) => index);
  const valueAt = (index: number) => points[index]?.value ?? null;
  const drawn = (index: number) => valueAt(index) !== null;
  const finished = (index: number) => drawn(index) && points[index]?.open === false;
  // An open stretch begins at the last finished bucket, so that the two lines meet.
  const unfinished = (index: number) =>
    drawn(index) && (points[index]?.open === true || (points[index + 1]?.open === true && drawn(index + 1)));
  const lineOf = (defined: (index: number) => boolean) =>
    line<number>()
      .defined(defined)
      .x(x)
      .y((index) => y(valueAt(index) ?? 0))(indexes) ?? "";
  const filled =
    area<number>()
      .defined(drawn)
      .x(x)
      .y0(floor)
      .y1((index) => y(valueAt(index) ?? 0))(indexes) ?? "";
  const ghost =
    line<number>()
      .defined((index) => (points[index]?.before ?? null) !== null)
      .x(x)
      .y((index) => y(points[index]?.before ?? 0))(indexes) ?? "";
  const lone = indexes.filter((index) => drawn(index) && !drawn(index - 1) && !drawn(index + 1));
  return { x, y, line: lineOf(finished), openLine: lineOf(unfinished), area: filled, ghost, lone };
}

/** The stretch a bucket takes of the plot, halfway to its neighbours. */
export function extent(
  first: number,
  last: number,
  shapes: Shapes,
  count: number,
  frame: Frame,
): [number, number] {
  const half = count > 1 ? (shapes.x(1) - shapes.x(0)) / 2 : (frame.width - frame.left - frame.right) / 2;
  return [
    Math.max(frame.left, shapes.x(first) - half),
    Math.min(frame.width - frame.right, shapes.x(last) + half),
  ];
}

/** The bucket nearest to a horizontal place, within those that have figures. */
export function nearestBucket(place: number, count: number, frame: Frame): number {
  if (count <= 1) return 0;
  const plot = frame.width - frame.left - frame.right;
  const index = Math.round(((place - frame.left) / plot) * (count - 1));
  return Math.min(count - 1, Math.max(0, index));
}

/** The bucket a key leads to, null when the key is not for the chart. */
export function bucketByKey(key: string, at: number, count: number): number | null {
  const last = Math.max(0, count - 1);
  const page = Math.max(2, Math.round(count / 8));
  const steps: Record<string, number> = {
    ArrowLeft: at - 1,
    ArrowDown: at - 1,
    ArrowRight: at + 1,
    ArrowUp: at + 1,
    PageDown: at - page,
    PageUp: at + page,
    Home: 0,
    End: last,
  };
  const target = Object.hasOwn(steps, key) ? steps[key] : undefined;
  return target === undefined ? null : Math.min(last, Math.max(0, target));
}
