/** One row of a list: bar, name, figures. */
import type { ResultRow } from "../api/types";
import { changeText } from "../format";
import { cellText, numberOf } from "../report/cells";
import { COLUMNS } from "../report/metrics";
import { nameOf } from "../report/names";
import type { Tab } from "../report/panels";
import { type Filter, isFiltered } from "../state/filters";

export interface Column {
  metric: string;
  index: number;
}

interface Props {
  row: ResultRow;
  tab: Tab;
  columns: Column[];
  /** Figure of the longest bar. */
  most: number;
  filters: Filter[];
  /** Says how the first figure changed. */
  compared: boolean;
  onRow: (dimension: string, value: string, exclude: boolean) => void;
}

export function Row({ row, tab, columns, most, filters, compared, onRow }: Props) {
  const value = row.dimensions[0] ?? "";
  const name = nameOf(tab.dimension, value, tab.naming ? row.dimensions[1] : null);
  const active = isFiltered(filters, tab.dimension, value);
  const first = numberOf(row.metrics[0]) ?? 0;
  const text = (
    <>
      {(tab.dimension === "country" || name.sign) && (
        <span class="flag" aria-hidden="true">
          {name.sign}
        </span>
      )}
      <span class="row-text" dir="auto">
        {name.text}
      </span>
    </>
  );
  return (
    <tr class={active ? "row row-active" : "row"}>
      <th scope="row">
        <span class="row-bar" style={{ width: `${first > 0 ? Math.max(0.5, (first / most) * 100) : 0}%` }} />
        {name.choosable ? (
          <button
            type="button"
            class="row-label"
            aria-pressed={active}
            title={
              active ? `${name.text}: take the filter away` : `Show only ${name.text} (with Alt: all but it)`
            }
            onClick={(event) => onRow(tab.dimension, value, event.altKey)}
            onKeyDown={(event) => {
              // A click by the keyboard does not say that Alt is held.
              if (event.key !== "Enter" || !event.altKey) return;
              event.preventDefault();
              onRow(tab.dimension, value, true);
            }}
          >
            {text}
          </button>
        ) : (
          <span class="row-label">{text}</span>
        )}
      </th>
      {columns.map(({ metric, index }) => (
        <td key={metric} class={index === 0 ? "number" : "number second"}>
          {compared && index === 0 && <Change row={row} metric={metric} />}
          {cellText(row.metrics[index], COLUMNS[metric]?.unit ?? "count")}
        </td>
      ))}
    </tr>
  );
}

function Change({ row, metric }: { row: ResultRow; metric: string }) {
  const change = row.comparison?.change[0];
  const unit = COLUMNS[metric]?.unit ?? "count";
  const text = changeText(change, unit, numberOf(row.comparison?.metrics[0]));
  if (!text || change === undefined || change === null) return null;
  const before = cellText(row.comparison?.metrics[0], unit);
  const tone = change === 0 ? "" : change > 0 ? "delta-good" : "delta-bad";
  return (
    <span class={`delta row-delta ${tone}`} title={`${text}, from ${before}`}>
      <span aria-hidden="true">{signed(change, text)}</span>
      <span class="hidden">{text}; </span>
    </span>
  );
}

/** A change with a sign in the place of its word. */
function signed(change: number, text: string): string {
  if (change === 0) return "=";
  return text === "new" ? text : `${change > 0 ? "▲" : "▼"} ${text.replace(/^\w+ /, "")}`;
}
