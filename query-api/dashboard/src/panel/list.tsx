/** The first rows of a list, with bars behind their names. */
import type { ComponentChildren } from "preact";
import type { ResultRow } from "../api/types";
import { useQuery } from "../api/use-query";
import { numberOf } from "../report/cells";
import { COLUMNS } from "../report/metrics";
import type { Tab } from "../report/panels";
import { listMetrics, listQuery } from "../report/queries";
import { Problem } from "../view/problem";
import type { PanelProps } from "./panel";
import { Row } from "./row";
import { Tools } from "./tools";

const ROWS = 9;

interface Props extends PanelProps {
  tab: Tab;
  /** Names the panel where the list stands alone. */
  title: string;
  /** Head of the first column, and above an empty list. */
  head: ComponentChildren;
}

export function List(props: Props) {
  const { client, view, tab, generation } = props;
  const query = listQuery(view, tab, ROWS);
  const metrics = listMetrics(tab, view.filters, tab.metrics);
  const loaded = useQuery(client, query, metrics, generation, props.onMeta);
  if (loaded.error && !loaded.current) {
    return <Problem error={loaded.error} onRetry={props.onRetry} />;
  }
  if (!loaded.answer || !loaded.context) return <Skeleton />;
  const known = loaded.answer.results.filter((row) => row.dimensions[0] !== tab.leaveOut);
  const rows = known.slice(0, ROWS);
  const title = `${props.title}: ${tab.label}`;
  return (
    <div class={loaded.current ? "list" : "list stale"}>
      {rows.length === 0 ? (
        <>
          {props.head !== tab.column && <div class="list-head">{props.head}</div>}
          <p class="empty">{tab.empty}</p>
        </>
      ) : (
        <Rows {...props} rows={rows} metrics={loaded.context} />
      )}
      <Tools
        more={known.length > rows.length}
        subject={tab.label}
        onDetails={rows.length > 0 ? props.onDetails : undefined}
        onApi={() => props.onApi(title, query)}
      />
    </div>
  );
}

function Rows(props: Props & { rows: ResultRow[]; metrics: string[] }) {
  const { rows, tab, view } = props;
  // A column without a single figure says nothing.
  const columns = props.metrics
    .map((metric, index) => ({ metric, index }))
    .filter(({ index }) => index === 0 || rows.some((row) => numberOf(row.metrics[index]) !== null));
  const most = Math.max(...rows.map((row) => numberOf(row.metrics[0]) ?? 0));
  return (
    <table>
      <caption class="hidden">
        {tab.column}, by {COLUMNS[props.metrics[0] ?? ""]?.label.toLowerCase() ?? "figure"}. Choose a row to
        filter the page by it.
      </caption>
      <thead>
        <tr>
          <th scope="col">{props.head}</th>
          {columns.map(({ metric }) => (
            <th scope="col" class="number" key={metric}>
              {tab.look === "goals" && metric === "visitors" ? "People" : (COLUMNS[metric]?.label ?? metric)}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <Row
            key={row.dimensions[0]}
            row={row}
            tab={tab}
            columns={columns}
            most={most}
            filters={view.filters}
            compared={view.comparison !== null}
            onRow={props.onRow}
          />
        ))}
      </tbody>
    </table>
  );
}

export function Skeleton() {
  return (
    <div class="list-skeleton" aria-hidden="true">
      {[88, 64, 52, 40, 33, 26].map((width) => (
        <span key={width} class="skeleton" style={{ width: `${width}%` }} />
      ))}
    </div>
  );
}
