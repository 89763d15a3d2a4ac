/** All rows of a list with all their figures: searched, sorted, taken away as CSV. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Client } from "../api/client";
import type { QueryBody, ResultRow } from "../api/types";
import { useQuery } from "../api/use-query";
import { count } from "../format";
import { Row } from "../panel/row";
import { numberOf } from "../report/cells";
import { download } from "../report/download";
import { COLUMNS } from "../report/metrics";
import type { Panel, Tab } from "../report/panels";
import { detailsQuery, listMetrics, type View } from "../report/queries";
import { Problem } from "../view/problem";
import { Dialog } from "./dialog";

const PAGE = 100;
const CSV_ROWS = 10_000;

interface Props {
  client: Client;
  view: View;
  panel: Panel;
  tab: Tab;
  generation: number;
  onRow: (dimension: string, value: string, exclude: boolean) => void;
  onApi: (title: string, body: QueryBody) => void;
  onClose: () => void;
}

type Order = [metric: string, direction: "asc" | "desc"];

export function Details(props: Props) {
  const { client, view, panel, tab } = props;
  const metrics = listMetrics(tab, view.filters, tab.details);
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState<Order>([metrics[0] ?? "visitors", "desc"]);
  const [limit, setLimit] = useState(PAGE);
  const [failed, setFailed] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const query = detailsQuery(view, tab, { search, order, limit, offset: 0 });
  const loaded = useQuery(client, query, metrics, props.generation);
  useSlash(field);

  const title = panel.tabs.length > 1 ? `${panel.title}: ${tab.label}` : panel.title;
  const total = loaded.answer?.meta.total_rows;
  const save = async () => {
    const all = detailsQuery(view, tab, { search, order, limit: CSV_ROWS, offset: 0 });
    try {
      download(`${view.site} ${title.replace(": ", " ")}.csv`, await client.csv({ ...all, include: {} }));
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  const sort = (metric: string) =>
    setOrder(([before, direction]) => [metric, before === metric && direction === "desc" ? "asc" : "desc"]);
  return (
    <Dialog
      title={title}
      about={total === undefined ? undefined : `${count(total)} ${total === 1 ? "row" : "rows"}`}
      size="large"
      onClose={props.onClose}
    >
      <div class="details-tools">
        {searchable(tab) && (
          <input
            ref={field}
            type="search"
            aria-label={`Search ${tab.column.toLowerCase()}`}
            placeholder="Search  /"
            value={search}
            onInput={(event) => {
              setSearch(event.currentTarget.value);
              setLimit(PAGE);
            }}
          />
        )}
        <button type="button" class="plain" onClick={() => props.onApi(title, query)}>
          API
        </button>
        <button type="button" class="plain" onClick={save}>
          Download CSV
        </button>
      </div>
      <p class="problem" role="alert">
        {failed && "The file could not be fetched. Try again."}
      </p>
      {loaded.error && !loaded.current ? (
        <Problem error={loaded.error} onRetry={() => setLimit(limit)} />
      ) : loaded.answer && loaded.context ? (
        <Table
          {...props}
          metrics={loaded.context}
          rows={loaded.answer.results}
          order={order}
          stale={!loaded.current}
          onSort={sort}
        />
      ) : (
        <div class="chart-skeleton skeleton" aria-hidden="true" />
      )}
      {total !== undefined && total > limit && (
        <button type="button" class="button details-more" onClick={() => setLimit(limit + PAGE * 4)}>
          Show more
        </button>
      )}
    </Dialog>
  );
}

/** Codes of countries and goals are not searched by text. */
function searchable(tab: Tab): boolean {
  return tab.dimension !== "country" && tab.dimension !== "goal";
}

interface TableProps extends Props {
  metrics: string[];
  rows: ResultRow[];
  order: Order;
  stale: boolean;
  onSort: (metric: string) => void;
}

function Table({ view, tab, metrics, rows, order, stale, onSort, onRow }: TableProps) {
  const shown = rows.filter((row) => row.dimensions[0] !== tab.leaveOut);
  if (shown.length === 0) return <p class="empty">Nothing found.</p>;
  const columns = metrics.map((metric, index) => ({ metric, index }));
  const most = Math.max(...shown.map((row) => numberOf(row.metrics[0]) ?? 0));
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard.
    <section class={stale ? "details stale" : "details"} tabIndex={0} aria-label={tab.column}>
      <table class="list-table">
        <caption class="hidden">{tab.column} with all figures</caption>
        <thead>
          <tr>
            <th scope="col">{tab.column}</th>
            {metrics.map((metric) => (
              <th
                key={metric}
                scope="col"
                class="number"
                aria-sort={order[0] === metric ? (order[1] === "asc" ? "ascending" : "descending") : "none"}
              >
                <button type="button" class="sort" onClick={() => onSort(metric)}>
                  {COLUMNS[metric]?.label ?? metric}
                  <span aria-hidden="true">
                    {order[0] === metric ? (order[1] === "asc" ? " ↑" : " ↓") : ""}
                  </span>
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {shown.map((row) => (
            <Row
              key={row.dimensions[0]}
              row={row}
              tab={tab}
              columns={columns}
              most={most}
              filters={view.filters}
              compared={view.comparison !== null}
              onRow={onRow}
            />
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** The key `/` leads into the search field. */
function useSlash(field: { current: HTMLInputElement | null }): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (event.key !== "/" || event.target === field.current) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, [field]);
}
