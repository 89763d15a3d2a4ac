/** What stands above an empty period of a site that was visited at other times. */
import { DEFAULT_PERIOD, type Period, samePeriod } from "../state/period";
import type { State } from "../state/url";

const TODAY: Period = { kind: "day", date: null };
const ALL: Period = { kind: "all" };

/** Offers the ways out: fewer filters, today, all time. */
export function NoVisits({ state, onChange }: { state: State; onChange: (change: Partial<State>) => void }) {
  const filtered = state.filters.length > 0;
  const ways: { label: string; change: Partial<State> }[] = [];
  if (filtered) ways.push({ label: "Clear filters", change: { filters: [] } });
  if (!samePeriod(state.period, TODAY)) ways.push({ label: "Show today", change: { period: TODAY } });
  if (!samePeriod(state.period, ALL)) ways.push({ label: "Show all time", change: { period: ALL } });
  const finished = samePeriod(state.period, DEFAULT_PERIOD) || state.period.kind.endsWith("d");
  return (
    <section class="surface no-visits" aria-labelledby="no-visits">
      <div>
        <h2 id="no-visits">{filtered ? "No visits match these filters" : "No visits in this period"}</h2>
        {finished && !filtered && <p>This period ends with yesterday; visits of today are not in it.</p>}
      </div>
      <div class="ways">
        {ways.map((way) => (
          <button key={way.label} type="button" class="button" onClick={() => onChange(way.change)}>
            {way.label}
          </button>
        ))}
      </div>
    </section>
  );
}
