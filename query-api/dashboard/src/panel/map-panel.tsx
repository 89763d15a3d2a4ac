/** Figures by country on a map, which is fetched once the figures are there. */
import { useQuery } from "../api/use-query";
import type { Tab } from "../report/panels";
import { listMetrics, listQuery } from "../report/queries";
import { lazyPart } from "../view/lazy-part";
import { Problem } from "../view/problem";
import { Skeleton } from "./list";
import type { PanelProps } from "./panel";
import { Tools } from "./tools";

const WorldMap = lazyPart(() => import("../map/world-map").then((part) => part.WorldMap), Skeleton);

/** More than there are countries. */
const ROWS = 300;

export function MapPanel(props: PanelProps & { tab: Tab; title: string }) {
  const { client, view, tab, generation } = props;
  const query = listQuery(view, tab, ROWS);
  const metrics = listMetrics(tab, view.filters, tab.metrics);
  const loaded = useQuery(client, query, metrics, generation, props.onMeta);
  if (loaded.error && !loaded.current) return <Problem error={loaded.error} onRetry={props.onRetry} />;
  if (!loaded.answer || !loaded.context) return <Skeleton />;
  const rows = loaded.answer.results;
  return (
    <div class={loaded.current ? "list" : "list stale"}>
      {rows.length === 0 ? (
        <p class="empty">{tab.empty}</p>
      ) : (
        <WorldMap rows={rows} metrics={loaded.context} filters={view.filters} onRow={props.onRow} />
      )}
      <Tools
        more={rows.length > 9}
        subject={tab.label}
        onDetails={rows.length > 0 ? props.onDetails : undefined}
        onApi={() => props.onApi(`${props.title}: Countries`, query)}
      />
    </div>
  );
}
