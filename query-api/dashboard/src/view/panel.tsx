/** A list of rows with bars; every row filters the page. */
import { useState } from "preact/hooks";
import type { Client } from "../api/client";
import type { Meta, ResultRow } from "../api/types";
import { useQuery } from "../api/use-query";
import { count, country, flag, share } from "../format";
import type { Panel, Tab } from "../report/panels";
import { tabOf } from "../report/panels";
import { listQuery, type View } from "../report/queries";
import { type Filter, isFiltered } from "../state/filters";
import { Problem } from "./problem";

const ROWS = 9;
const ROWS_MORE = 100;

interface Props {
  client: Client;
  view: View;
  panel: Panel;
  tab: string;
  generation: number;
  /** Visitors of the whole view, for shares; null while unknown. */
  visitors: number | null;
  onTab: (tab: string) => void;
  onRow: (dimension: string, value: string, exclude: boolean) => void;
  onMeta: (meta: Meta) => void;
  onRetry: () => void;
}

export function PanelView(props: Props) {
  const { panel } = props;
  const tab = tabOf(panel, props.tab);
  const title = `panel-${panel.name}`;
  return (
    <section class="surface panel" aria-labelledby={title}>
      <div class="panel-head">
        <h2 id={title}>{panel.title}</h2>
        {panel.tabs.length > 1 && (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a form around buttons.
          <div class="tabs" role="group" aria-label={`${panel.title} by`}>
            {panel.tabs.map((one) => (
              <button
                type="button"
                key={one.name}
                aria-pressed={one.name === tab.name}
                onClick={() => props.onTab(one.name)}
              >
                {one.label}
              </button>
            ))}
          </div>
        )}
      </div>
      <List key={tab.name} {...props} tabShown={tab} />
    </section>
  );
}

function List(props: Props & { tabShown: Tab }) {
  const { client, view, tabShown: tab, generation, visitors } = props;
  const [more, setMore] = useState(false);
  const limit = more ? ROWS_MORE : ROWS;
  const loaded = useQuery(client, listQuery(view, tab, limit), limit, generation, props.onMeta);
  if (loaded.error && !loaded.current) {
    return <Problem error={loaded.error} onRetry={props.onRetry} />;
  }
  if (!loaded.answer) return <Skeleton />;
  const known = loaded.answer.results.filter((row) => row.dimensions[0] !== tab.leaveOut);
  const rows = known.slice(0, loaded.context ?? limit);
  if (rows.length === 0) return <p class="empty">{tab.empty}</p>;
  return (
    <div class={loaded.current ? "list" : "list stale"}>
      <table>
        <caption class="hidden">{tab.column}, by visitors. Choose a row to filter the page by it.</caption>
        <thead>
          <tr>
            <th scope="col">{tab.column}</th>
            <th scope="col" class="number">
              Visitors
            </th>
            <th scope="col" class="number">
              {tab.second?.label ?? "Share"}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <Row
              key={row.dimensions[0]}
              row={row}
              tab={tab}
              most={rows[0]?.metrics[0] ?? 0}
              visitors={visitors}
              filters={view.filters}
              onRow={props.onRow}
            />
          ))}
        </tbody>
      </table>
      {(known.length > rows.length || more) && (
        <button type="button" class="plain panel-more" aria-expanded={more} onClick={() => setMore(!more)}>
          {more ? "Show fewer" : "Show more"}
          <span class="hidden"> rows of {tab.label}</span>
        </button>
      )}
    </div>
  );
}

interface RowProps {
  row: ResultRow;
  tab: Tab;
  most: number;
  visitors: number | null;
  filters: Filter[];
  onRow: (dimension: string, value: string, exclude: boolean) => void;
}

function Row({ row, tab, most, visitors, filters, onRow }: RowProps) {
  const value = row.dimensions[0] ?? "";
  const first = row.metrics[0] ?? 0;
  const active = isFiltered(filters, tab.dimension, value);
  const isCountry = tab.dimension === "country";
  const label = isCountry ? country(value) : value === "" ? "(not set)" : value;
  // The API takes two-letter codes only; a row without one cannot be filtered by.
  const choosable = isCountry ? /^[A-Z]{2}$/.test(value) : value !== "";
  const text = (
    <>
      {isCountry && (
        <span class="flag" aria-hidden="true">
          {flag(value)}
        </span>
      )}
      <span class="row-text">{label}</span>
    </>
  );
  return (
    <tr class={active ? "row row-active" : "row"}>
      <th scope="row">
        <span class="row-bar" style={{ width: `${most > 0 ? Math.max(0.5, (first / most) * 100) : 0}%` }} />
        {choosable ? (
          <button
            type="button"
            class="row-label"
            aria-pressed={active}
            title={active ? `${label}: take the filter away` : `Show only ${label} (with Alt: all but it)`}
            onClick={(event) => onRow(tab.dimension, value, event.altKey)}
          >
            {text}
          </button>
        ) : (
          <span class="row-label">{text}</span>
        )}
      </th>
      <td class="number">{count(first)}</td>
      <td class="number second">
        {tab.second ? count(row.metrics[1] ?? 0) : visitors === null ? "" : share(first, visitors)}
      </td>
    </tr>
  );
}

function Skeleton() {
  return (
    <div class="list-skeleton" aria-hidden="true">
      {[88, 64, 52, 40, 33, 26].map((width) => (
        <span key={width} class="skeleton" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
