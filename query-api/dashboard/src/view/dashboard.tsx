/** The main view: the figures of one site. */
import { useCallback, useEffect, useState } from "preact/hooks";
import { type Client, isTemporary } from "../api/client";
import type { Meta, QueryBody, Site } from "../api/types";
import { useQuery } from "../api/use-query";
import { count, dayRange } from "../format";
import { PanelView } from "../panel/panel";
import { Vitals } from "../panel/vitals";
import { numberOf } from "../report/cells";
import { type Group, metricOf, metricsFor } from "../report/metrics";
import { PANELS } from "../report/panels";
import { cardsQuery, everQuery, groupMetrics, presentQuery, type View } from "../report/queries";
import { go } from "../router/navigate";
import type { Who } from "../session";
import { canCompare } from "../state/comparison";
import { filtersBy, toggle } from "../state/filters";
import { type Health, withAnswer } from "../state/health";
import { intervalOf, intervals } from "../state/interval";
import { dayPeriod, rangeOf } from "../state/period";
import { keepPreference, readPreference } from "../state/preferences";
import { useUrlState } from "../state/use-url-state";
import { dateAt, knownZone } from "../state/zone";
import { type CardAnswers, figureOf } from "./cards";
import { Chips } from "./chips";
import { commandsOf, roomsOf } from "./commands";
import { Header } from "./header";
import { HealthLine } from "./health-line";
import { Menu } from "./menu";
import { NoVisits } from "./no-visits";
import { Onboarding } from "./onboarding";
import { periodLabel } from "./period-picker";
import { Problem } from "./problem";
import { Trend } from "./trend";
import { useIntents } from "./use-intents";
import { useLedger } from "./use-ledger";
import { useRefresh } from "./use-refresh";
import { useSite } from "./use-site";
import { type Open, Windows } from "./windows";

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

export function Dashboard({ client, sites, who, embed = false, onLeave }: Props) {
  const [state, change] = useUrlState();
  const site =
    state.site === null ? (sites[0] ?? null) : (sites.find((one) => one.domain === state.site) ?? null);
  const zone = knownZone(site?.timezone ?? "UTC");
  client.revision = state.revision;
  const [waiting, setWaiting] = useState(false);
  const [generation, refresh] = useRefresh(waiting ? WAITING_REFRESH_MS : REFRESH_MS);
  const [open, setOpen] = useState<Open | null>(null);
  const today = dateAt(client.now(), zone);
  const range = rangeOf(state.period, today);
  const comparable = canCompare(state.period);
  const view: View | null = site && {
    site: site.domain,
    range,
    filters: state.filters,
    any: state.any,
    comparison: comparable ? state.comparison : null,
    comparable,
    interval: intervalOf(state.interval, state.period, range),
  };

  const claim = `${generation} ${JSON.stringify(view)}`;
  const [health, setHealth] = useState<Health | null>(null);
  const onMeta = useCallback((meta: Meta) => setHealth((before) => withAnswer(before, claim, meta)), [claim]);

  const byGoal = filtersBy(state.filters, "goal");
  const metrics = metricsFor(byGoal);
  const ask = (group: Group) => {
    const asked = groupMetrics(group, state.filters);
    const isShown = metrics.some((metric) => metric.group === group);
    // The groups are always the same, so the order of these hooks is too.
    return useQuery(client, view && isShown ? cardsQuery(view, group) : null, asked, generation, onMeta);
  };
  const answers: CardAnswers = { traffic: ask("traffic"), engaged: ask("engaged"), goals: ask("goals") };
  const cards = answers.traffic;
  const present = useQuery(client, site && presentQuery(site.domain), site?.domain, generation);
  const visitors = numberOf(figureOf(answers, metricOf("visitors")).value);
  const visits = numberOf(figureOf(answers, metricOf("visits")).value);
  const nothing = cards.current && visitors === 0 && visits === 0;
  const ever = useQuery(client, site && nothing ? everQuery(site.domain) : null, null, generation);
  const never = ever.current && (ever.answer?.results[0]?.metrics ?? []).every((value) => !value);
  useEffect(() => setWaiting(nothing && never), [nothing, never]);
  const ready = cards.answer !== null;
  const account = useLedger(client, site?.domain ?? null, ready);
  const [kept, again] = useSite(client, site, ready);
  const revenue = answers.goals.answer ? figureOf(answers, metricOf("total_revenue")).value !== null : null;

  useEffect(() => {
    document.title = site ? `${site.domain} · Weir` : "Weir";
  }, [site]);
  useEffect(() => {
    if (who.kind === "key") keepPreference(state.site, state);
  }, [who.kind, state.site, state.period, state.comparison]);

  const onSite = (domain: string) =>
    change({ site: domain, filters: [], details: null, ...readPreference(domain) });
  const act = { state, change, today, sites, site, who, open: setOpen, onSite, onLeave };
  useIntents(act, open !== null || state.details !== null);
  const commands = commandsOf({ ...act, health });

  const away = cards.error !== null && !cards.current && isTemporary(cards.error);
  const problem = cards.error && !away ? refreshProblem(cards.current, cards.error.message) : null;
  const onRow = (dimension: string, value: string, exclude: boolean) =>
    change({ filters: toggle(state.filters, dimension, value, exclude), details: null });
  const shared = view && {
    client,
    view,
    generation,
    onRow,
    onApi: (title: string, body: QueryBody) => setOpen({ window: "api", title, body }),
    onMeta,
    onRetry: refresh,
  };
  return (
    <>
      <Header
        sites={sites}
        site={site}
        present={present.context === site?.domain ? numberOf(present.answer?.results[0]?.metrics[0]) : null}
        period={state.period}
        comparison={state.comparison}
        today={today}
        busy={cards.loading && !cards.current}
        embed={embed}
        onSite={onSite}
        onPeriod={(period) => change({ period, interval: null })}
        onComparison={(comparison) => change({ comparison })}
        onFilter={() => setOpen({ window: "filter", filter: null })}
        onPalette={() => setOpen({ window: "palette" })}
        onRealtime={() => change({ period: { kind: "realtime" }, interval: null })}
        menu={
          <Menu
            commands={commands.filter((command) => command.group === "More")}
            rooms={embed ? [] : roomsOf(who, site)}
          />
        }
      >
        {state.filters.length > 0 && (
          <Chips
            filters={state.filters}
            any={state.any}
            segments={kept.segments}
            onFilters={(filters) => change({ filters, any: filters.length > 1 && state.any })}
            onAny={(any) => change({ any })}
            onEdit={(filter) => setOpen({ window: "filter", filter })}
            onSave={site?.may?.includes("keep_segments") ? () => setOpen({ window: "segment" }) : undefined}
          />
        )}
      </Header>
      <main id="content" class="page" tabIndex={-1} aria-busy={cards.loading && !cards.current}>
        <div class="page-line">
          <p class="dates-line">
            {datesText(cards.answer?.query?.date_range, range.from, range.to)}
            <span class="zone"> · {zone.replaceAll("_", " ")}</span>
          </p>
          <HealthLine
            health={away ? null : health}
            account={account}
            zone={zone}
            now={client.now()}
            pinned={state.revision}
            problem={problem}
            onOpen={() => setOpen({ window: "ledger" })}
            onUnpin={() => change({ revision: null })}
          />
        </div>
        <p class="hidden" role="status">
          {cards.current &&
            visitors !== null &&
            `${periodLabel(state.period, today)}: ${count(visitors)} visitors`}
        </p>
        {!view || !site || !shared ? (
          <Unreadable site={state.site} none={sites.length === 0} />
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
              {...shared}
              zone={zone}
              answers={answers}
              metric={metrics.some((one) => one.name === state.metric) ? state.metric : "visitors"}
              intervals={intervals(state.period, range)}
              table={state.table}
              annotations={kept.annotations}
              onMetric={(metric) => change({ metric })}
              onInterval={(interval) => change({ interval })}
              onTable={(table) => change({ table })}
              onDay={(date) => change({ period: dayPeriod(date, today), interval: null })}
              onZoom={(from, to) =>
                change({
                  period:
                    from === to ? dayPeriod(from, today) : { kind: "custom", from, to: earlier(to, today) },
                  interval: null,
                })
              }
              onNote={
                site.may?.includes("keep_segments") ? (at) => setOpen({ window: "note", at }) : undefined
              }
            />
            {PANELS.map((panel) => {
              const details = () => change({ details: panel.name });
              if (panel.name === "vitals") return <Vitals key="vitals" {...shared} onDetails={details} />;
              if (panel.name === "shop" && revenue === false) return null;
              return (
                <PanelView
                  key={panel.name}
                  {...shared}
                  panel={panel}
                  tab={state.tabs[panel.name]}
                  property={state.property}
                  properties={kept.properties}
                  hidden={panel.name === "shop" && revenue === null}
                  onTab={(tab) => change({ tabs: { ...state.tabs, [panel.name]: tab } })}
                  onProperty={(property) => change({ property })}
                  onDetails={details}
                />
              );
            })}
          </div>
        )}
      </main>
      {view && site && (
        <Windows
          {...act}
          opened={open}
          client={client}
          view={view}
          zone={zone}
          generation={generation}
          kept={kept}
          commands={commands}
          onRow={onRow}
          onKept={again}
        />
      )}
    </>
  );
}

/** The days that were asked for, as the API resolved them. */
function datesText(resolved: [string, string] | undefined, from: string | null, to: string): string {
  if (from !== null) return dayRange(from, to);
  return resolved ? dayRange(resolved[0].slice(0, 10), resolved[1].slice(0, 10)) : "All time";
}

function Unreadable({ site, none }: { site: string | null; none: boolean }) {
  return (
    <section class="surface notice">
      <h2>You cannot read {site ?? "any site"}</h2>
      <p>
        {none
          ? "Add a site with weir site add, or sign in with another key."
          : "Choose one of your sites above, or sign in with another key."}
      </p>
      {!none && (
        <button type="button" class="button" onClick={() => go("/sites")}>
          All sites
        </button>
      )}
    </section>
  );
}

function earlier(one: string, other: string): string {
  return one < other ? one : other;
}

function refreshProblem(current: boolean, message: string): string {
  return current ? `Not refreshed: ${message} Trying again.` : message;
}
