/** Chooses the period: a list of usual ones, or two dates. */
import { useRef, useState } from "preact/hooks";
import { dayRange } from "../format";
import { choices, customPeriod, type Period, periodName, rangeOf, samePeriod } from "../state/period";
import { Calendar, Check, Chevron } from "./icons";
import { Popover } from "./popover";

interface Props {
  period: Period;
  /** The site's local day. */
  today: string;
  onPeriod: (period: Period) => void;
}

/** What the button says about a period. */
export function periodLabel(period: Period, today: string): string {
  const range = rangeOf(period, today);
  return periodName(period, today) ?? dayRange(range.from ?? range.to, range.to);
}

export function PeriodPicker({ period, today, onPeriod }: Props) {
  const label = (
    <>
      <Calendar />
      <span class="hidden">Period: </span>
      <span>{periodLabel(period, today)}</span>
      <Chevron />
    </>
  );
  return (
    <Popover label={label} name="Period" buttonClass="button">
      {(close) => {
        const choose = (chosen: Period) => {
          onPeriod(chosen);
          close();
        };
        return (
          <>
            <ul class="menu">
              {choices(today).map((choice, index) => (
                <li key={choice.label}>
                  <button
                    type="button"
                    aria-current={samePeriod(choice.period, period)}
                    data-first={index === 0 ? true : undefined}
                    onClick={() => choose(choice.period)}
                  >
                    <span>{choice.label}</span>
                    {samePeriod(choice.period, period) && <Check />}
                  </button>
                </li>
              ))}
            </ul>
            <CustomDates period={period} today={today} onPeriod={choose} />
          </>
        );
      }}
    </Popover>
  );
}

function CustomDates({ period, today, onPeriod }: Props) {
  const range = rangeOf(period, today);
  const from = useRef<HTMLInputElement>(null);
  const to = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<string | null>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const chosen = customPeriod(from.current?.value ?? "", to.current?.value ?? "");
    if ("problem" in chosen) setProblem(chosen.problem);
    else onPeriod(chosen);
  };
  return (
    <form class="dates" onSubmit={submit} noValidate>
      <label>
        <span>From</span>
        <input type="date" ref={from} max={today} defaultValue={range.from ?? ""} />
      </label>
      <label>
        <span>To</span>
        <input type="date" ref={to} max={today} defaultValue={range.to} />
      </label>
      <p class="problem" role="alert">
        {problem}
      </p>
      <button type="submit" class="button">
        Show these dates
      </button>
    </form>
  );
}
