/** The page of one signed-in reader. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { type Client, isTemporary } from "../api/client";
import type { Meta, Site } from "../api/types";
import { useQuery } from "../api/use-query";
import { count, dayRange } from "../format";
import type { MetricName } from "../report/metrics";
import { PANELS } from "../report/panels";
import { cardMetrics, cardsQuery, everQuery, type View } from "../report/queries";
import type { Who } from "../session";
import { toggle } from "../state/filters";
import { type Health, withAnswer } from "../state/health";
import { rangeOf } from "../state/period";
import { useUrlState } from "../state/use-url-state";
import { dateAt, knownZone } from "../state/zone";
import { Header } from "./header";
import { HealthLine } from "./health-line";
import { NoVisits } from "./no-visits";
import { Onboarding } from "./onboarding";
import { PanelView } from "./panel";
import { periodLabel } from "./period-picker";
import { Problem } from "./problem";
import { Trend } from "./trend";
import { usePresent } from "./use-present";
import { useRefresh } from "./use-refresh";

const REFRESH_MS = 30_000;
const WAITING_REFRESH_MS = 5_000;

interface Props {
  client: Client;
  sites: Site[];
  /** Who reads, and what he may do: somebody with a shared link changes nothing. */
  who: Who;
  /** Inside another page. */
  embed?: boolean;
  /** Signs out; null where nobody has signed in. */
  onLeave: (() => void) | null;
}

export function Dashboard({ client, sites, who: _who, onLeave }: Props) {
  const [state, change] = useUrlState();
  const site =
    state.site === null ? (sites[0] ?? null) : (sites.find((one) => one.domain === state.site) ?? null);
  const zone = knownZone(site?.timezone ?? "UTC");
  const [waiting, setWaiting] = useState(false);
  const [generation, refresh] = useRefresh(waiting ? WAITING_REFRESH_MS : REFRESH_MS);
  const today = dateAt(client.now(), zone);
  const range = rangeOf(state.period, today);
  const view: View | null = site && { site: site.domain, range, filters: state.filters };

  const claim = `${generation} ${JSON.stringify(view)}`;
  const [health, setHealth] = useState<Health | null>(null);
  const onMeta = useCallback((meta: Meta) => setHealth((before) => withAnswer(before, claim, meta)), [claim]);

  const metrics = cardMetrics(state.filters);
  const cards = useQuery<MetricName[]>(client, view && cardsQuery(view), metrics, generation, onMeta);
  const visitors = figure(cards.answer?.results[0]?.metrics, cards.context, "visitors");
  const visits = figure(cards.answer?.results[0]?.metrics, cards.context, "visits");
  const nothing = cards.current && visitors === 0 && visits === 0;
  const ever = useQuery(client, site && nothing ? everQuery(site.domain) : null, null, generation);
  const never = ever.current && (ever.answer?.results[0]?.metrics ?? []).every((value) => !value);
  useEffect(() => setWaiting(nothing && never), [nothing, never]);
  const present = usePresent(client, site?.domain ?? null, generation);

  useEffect(() => {
    document.title = site ? `${site.domain} · Weir` : "Weir";
  }, [site]);

  const away = cards.error !== null && !cards.current && isTemporary(cards.error);
  const problem = cards.error && !away ? refreshProblem(cards.current, cards.error.message) : null;
  return (
    <>
      <Header
        sites={sites}
        site={site}
        present={present}
        period={state.period}
        today={today}
        filters={state.filters}
        busy={cards.loading && !cards.current}
        onSite={(domain) => change({ site: domain, filters: [] })}
        onPeriod={(period) => change({ period })}
        onFilters={(filters) => change({ filters })}
        onLeave={onLeave}
      />
      <main id="content" class="page" tabIndex={-1} aria-busy={cards.loading && !cards.current}>
        <div class="page-line">
          <p class="dates-line">
            {range.from ? dayRange(range.from, range.to) : "All time"}
            <span class="zone"> · {zone.replaceAll("_", " ")}</span>
          </p>
          <HealthLine health={away ? null : health} zone={zone} now={client.now()} problem={problem} />
        </div>
        <p class="hidden" role="status">
          {cards.current &&
            visitors !== null &&
            `${periodLabel(state.period, today)}: ${count(visitors)} visitors`}
        </p>
        {!view || !site ? (
          <section class="surface notice">
            <h2>This key does not read {state.site ?? "any site"}</h2>
            <p>
              {sites.length > 0
                ? "Choose one of its sites above, or sign in with another key."
                : "Add a site with weir site add, or sign in with another key."}
            </p>
          </section>
        ) : away && cards.error ? (
          <section class="surface">
            <Problem error={cards.error} onRetry={refresh} />
          </section>
        ) : nothing && never ? (
          <Onboarding site={site} />
        ) : (
          <div class="grid" key={site.domain}>
            {nothing && ever.current && <NoVisits state={state} onChange={change} />}
            <Trend
              client={client}
              view={view}
              zone={zone}
              cards={cards}
              metric={state.metric}
              table={state.table}
              generation={generation}
              complete={health?.watermark ?? null}
              onMetric={(metric) => change({ metric })}
              onTable={(table) => change({ table })}
              onDay={(date) => change({ period: { kind: "day", date: date === today ? null : date } })}
              onMeta={onMeta}
              onRetry={refresh}
            />
            {PANELS.map((panel) => (
              <PanelView
                key={panel.name}
                client={client}
                view={view}
                panel={panel}
                tab={state.tabs[panel.name]}
                generation={generation}
                visitors={cards.current ? visitors : null}
                onTab={(tab) => change({ tabs: { ...state.tabs, [panel.name]: tab } })}
                onRow={(dimension, value, exclude) =>
                  change({ filters: toggle(state.filters, dimension, value, exclude) })
                }
                onMeta={onMeta}
                onRetry={refresh}
              />
            ))}
          </div>
        )}
      </main>
    </>
  );
}

function figure(
  values: (number | null)[] | undefined,
  metrics: MetricName[] | null,
  name: MetricName,
): number | null {
  return values?.[metrics?.indexOf(name) ?? -1] ?? null;
}

function refreshProblem(current: boolean, message: string): string {
  return current ? `Not refreshed: ${message} Trying again.` : message;
}
