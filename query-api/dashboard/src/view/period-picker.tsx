/** Chooses the period and what it is compared with. */
import { useRef, useState } from "preact/hooks";
import { dayRange } from "../format";
import { choices } from "../state/choices";
import { type Comparison, canCompare } from "../state/comparison";
import { customPeriod, neighbour, type Period, periodName, rangeOf, samePeriod } from "../state/period";
import { isDate } from "../state/zone";
import { Calendar, Check, Chevron, Step } from "./icons";
import { Popover } from "./popover";

interface Props {
  period: Period;
  comparison: Comparison | null;
  /** The site's local day. */
  today: string;
  onPeriod: (period: Period) => void;
  onComparison: (comparison: Comparison | null) => void;
}

/** What the button says about a period. */
export function periodLabel(period: Period, today: string): string {
  const range = rangeOf(period, today);
  return periodName(period, today) ?? dayRange(range.from ?? range.to, range.to);
}

export function PeriodPicker(props: Props) {
  const { period, comparison, today, onPeriod } = props;
  const before = neighbour(period, today, -1);
  const after = neighbour(period, today, 1);
  const label = (
    <>
      <Calendar />
      <span class="hidden">Period: </span>
      <span class={comparison ? "compared" : ""}>{periodLabel(period, today)}</span>
      {comparison && <span class="compare-mark">compared</span>}
      <Chevron />
    </>
  );
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a form around buttons.
    <div class="period" role="group" aria-label="Period">
      <button
        type="button"
        class="button button-icon"
        disabled={!before}
        title="Period before (←)"
        onClick={() => before && onPeriod(before)}
      >
        <Step to="before" />
        <span class="hidden">Period before</span>
      </button>
      <Popover label={label} name="Period and comparison" buttonClass="button" opener="C">
        {(close) => <Sheet {...props} close={close} />}
      </Popover>
      <button
        type="button"
        class="button button-icon"
        disabled={!after}
        title="Period after (→)"
        onClick={() => after && onPeriod(after)}
      >
        <Step to="after" />
        <span class="hidden">Period after</span>
      </button>
    </div>
  );
}

function Sheet(props: Props & { close: () => void }) {
  const { period, today, close } = props;
  const choose = (chosen: Period) => {
    props.onPeriod(chosen);
    close();
  };
  return (
    <>
      <div class="menu">
        {choices(today).map((group, at) => (
          <ul key={group[0]?.key}>
            {group.map((choice, index) => (
              <li key={choice.key}>
                <button
                  type="button"
                  aria-current={samePeriod(choice.period, period)}
                  data-first={at === 0 && index === 0 ? true : undefined}
                  onClick={() => choose(choice.period)}
                >
                  <span>{choice.label}</span>
                  {samePeriod(choice.period, period) ? <Check /> : <kbd>{choice.key}</kbd>}
                </button>
              </li>
            ))}
          </ul>
        ))}
      </div>
      <div class="dates">
        <Dates
          heading="Own dates"
          range={rangeOf(period, today)}
          today={today}
          action="Show these dates"
          onDates={(from, to) => {
            const chosen = customPeriod(from, to);
            if ("problem" in chosen) return chosen.problem;
            choose(chosen);
            return null;
          }}
        />
        {canCompare(period) && <Compare {...props} />}
      </div>
    </>
  );
}

function Compare({ comparison, today, onComparison }: Props & { close: () => void }) {
  const mode = comparison?.mode ?? "off";
  const matches = comparison !== null && comparison.mode !== "custom" && comparison.matchWeekday;
  const [custom, setCustom] = useState(mode === "custom");
  const options: { mode: string; label: string }[] = [
    { mode: "off", label: "Nothing" },
    { mode: "previous_period", label: "The period before" },
    { mode: "year_over_year", label: "The year before" },
    { mode: "custom", label: "Other dates" },
  ];
  const choose = (chosen: string) => {
    setCustom(chosen === "custom");
    if (chosen === "off") onComparison(null);
    if (chosen === "previous_period" || chosen === "year_over_year") {
      onComparison({ mode: chosen, matchWeekday: matches });
    }
  };
  return (
    <fieldset class="compare">
      <legend>Compare with</legend>
      {options.map((option) => (
        <label key={option.mode} class="choice">
          <input
            type="radio"
            name="comparison"
            checked={custom ? option.mode === "custom" : option.mode === mode}
            onChange={() => choose(option.mode)}
          />
          <span>{option.label}</span>
        </label>
      ))}
      {comparison && comparison.mode !== "custom" && !custom && (
        <label class="choice">
          <input
            type="checkbox"
            checked={matches}
            onChange={(event) =>
              onComparison({ mode: comparison.mode, matchWeekday: event.currentTarget.checked })
            }
          />
          <span>Match days of the week</span>
        </label>
      )}
      {custom && (
        <Dates
          heading={null}
          range={comparison?.mode === "custom" ? comparison : { from: null, to: "" }}
          today={today}
          action="Compare with these"
          onDates={(from, to) => {
            if (!isDate(from) || !isDate(to)) return "Enter both dates.";
            if (from > to) return "The first day must not be after the last.";
            onComparison({ mode: "custom", from, to });
            return null;
          }}
        />
      )}
    </fieldset>
  );
}

interface DatesProps {
  heading: string | null;
  range: { from: string | null; to: string };
  today: string;
  action: string;
  /** Takes the dates, or says what is wrong with them. */
  onDates: (from: string, to: string) => string | null;
}

function Dates({ heading, range, today, action, onDates }: DatesProps) {
  const from = useRef<HTMLInputElement>(null);
  const to = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    setProblem(onDates(from.current?.value ?? "", to.current?.value ?? ""));
  };
  return (
    <form class="dates-form" onSubmit={submit} noValidate>
      {heading && <p class="dates-heading">{heading}</p>}
      <div class="dates-pair">
        <label>
          <span>From</span>
          <input type="date" ref={from} max={today} defaultValue={range.from ?? ""} />
        </label>
        <label>
          <span>To</span>
          <input type="date" ref={to} max={today} defaultValue={range.to > today ? today : range.to} />
        </label>
      </div>
      <p class="problem" role="alert">
        {problem}
      </p>
      <button type="submit" class="button">
        {action}
      </button>
    </form>
  );
}
