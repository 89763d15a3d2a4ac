/** The headline figures; each chooses what the chart shows. */
import { useState } from "preact/hooks";
import type { Cell } from "../api/types";
import type { Loaded } from "../api/use-query";
import { changeText } from "../format";
import { cellText, moneyOf, numberOf } from "../report/cells";
import { ENGAGEMENT, type Group, METRICS, type Metric, type MetricName, metricsFor } from "../report/metrics";
import { keepEngagement, readEngagement } from "../state/preferences";

/** Answers by group; the context names the metrics in the order of the answer. */
export type CardAnswers = Record<Group, Loaded<string[]>>;

interface Props {
  answers: CardAnswers;
  chosen: MetricName;
  /** The filters leave those who reached a goal. */
  byGoal: boolean;
  /** What it is compared with is shown too. */
  compared: boolean;
  onMetric: (metric: MetricName) => void;
}

interface Figure {
  state: "wait" | "known" | "failed";
  stale: boolean;
  value: Cell;
  before: Cell;
  change: number | null;
}

/** The figure of a metric, with what it was and by how much it changed. */
export function figureOf(answers: CardAnswers, metric: Metric): Figure {
  const loaded = answers[metric.group];
  // Figures of an earlier question must not stand under a new one that failed.
  const failed = loaded.error !== null && !loaded.current;
  const row = failed ? undefined : loaded.answer?.results[0];
  const index = loaded.context?.indexOf(metric.name) ?? -1;
  return {
    state: failed ? "failed" : loaded.answer ? "known" : "wait",
    stale: !failed && loaded.answer !== null && !loaded.current,
    value: row?.metrics[index] ?? null,
    before: row?.comparison?.metrics[index] ?? null,
    change: row?.comparison?.change[index] ?? null,
  };
}

export function Cards({ answers, chosen, byGoal, compared, onMetric }: Props) {
  const [engagement, setEngagement] = useState(readEngagement);
  const visits = numberOf(figureOf(answers, METRICS[1] as Metric).value);
  return (
    <ul class="cards" aria-label="Key figures: choose what the chart shows">
      {metricsFor(byGoal)
        .filter((metric) => isShown(metric, answers))
        .map((metric) => {
          const isRate = metric.name === "bounce_rate";
          const figure = figureOf(answers, metric);
          const shown = isRate && engagement ? opposite(figure) : figure;
          const named = isRate && engagement ? { ...metric, ...ENGAGEMENT, isBetterLow: false } : metric;
          const isMean = metric.unit !== "count" && metric.unit !== "money";
          return (
            <li key={metric.name}>
              <Card
                metric={named}
                figure={visits === 0 && isMean ? { ...shown, value: null, change: null } : shown}
                chosen={metric.name === chosen}
                compared={compared}
                onChoose={() => onMetric(metric.name)}
              />
              {isRate && (
                <button
                  type="button"
                  class="card-switch"
                  title={engagement ? "Show bounces" : "Show engagement"}
                  onClick={() => {
                    keepEngagement(!engagement);
                    setEngagement(!engagement);
                  }}
                >
                  <span aria-hidden="true">⇄</span>
                  <span class="hidden">{engagement ? "Show bounce rate" : "Show engagement rate"}</span>
                </button>
              )}
            </li>
          );
        })}
    </ul>
  );
}

/** A site without goals has no conversions, one without amounts no revenue. */
function isShown(metric: Metric, answers: CardAnswers): boolean {
  if (metric.group !== "goals") return true;
  const loaded = answers.goals;
  if (!loaded.answer) return loaded.error === null;
  if (metric.name === "total_revenue") return figureOf(answers, metric).value !== null;
  return loaded.answer.results[0]?.metrics.some((cell) => moneyOf(cell) || numberOf(cell)) ?? false;
}

function opposite(figure: Figure): Figure {
  const value = numberOf(figure.value);
  const before = numberOf(figure.before);
  return {
    ...figure,
    value: value === null ? null : 100 - value,
    before: before === null ? null : 100 - before,
    change: figure.change === null ? null : -figure.change,
  };
}

interface CardProps {
  metric: Metric;
  figure: Figure;
  chosen: boolean;
  compared: boolean;
  onChoose: () => void;
}

function Card({ metric, figure, chosen, compared, onChoose }: CardProps) {
  const before = numberOf(figure.before);
  const isMean = metric.unit !== "count" && metric.unit !== "money";
  const change = changeText(figure.change, metric.unit, before);
  const isBetter = figure.change !== null && figure.change > 0 !== (metric.isBetterLow ?? false);
  return (
    <button
      type="button"
      class={figure.stale ? "card stale" : "card"}
      aria-pressed={chosen}
      title={metric.meaning}
      onClick={onChoose}
    >
      <span class="card-label">{metric.label}</span>
      <span class={figure.state === "wait" ? "card-value skeleton" : "card-value"} data-metric={metric.name}>
        {figure.state === "wait" ? "" : cellText(figure.value, metric.unit)}
      </span>
      <span class="card-foot">
        {change && figure.value !== null && (
          <span class={figure.change === 0 ? "delta" : isBetter ? "delta delta-good" : "delta delta-bad"}>
            {figure.change !== 0 && change !== "new" && (
              <svg class="delta-sign" width="9" height="9" viewBox="0 0 10 10" aria-hidden="true">
                <path d={(figure.change ?? 0) > 0 ? "M5 1.5 9 8.5H1z" : "M5 8.5 1 1.5h8z"} />
              </svg>
            )}
            {change}
          </span>
        )}
        {compared && before !== null && !(isMean && before === 0) && (
          <span class="card-before">from {cellText(figure.before, metric.unit)}</span>
        )}
      </span>
    </button>
  );
}
