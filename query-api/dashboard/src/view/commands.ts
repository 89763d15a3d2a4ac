/** The commands of the main view. */
import type { Site } from "../api/types";
import { METRICS } from "../report/metrics";
import { PANELS } from "../report/panels";
import { go } from "../router/navigate";
import { settingsAddress } from "../router/route";
import { mayChange, type Who } from "../session";
import { choices } from "../state/choices";
import type { Command } from "../state/commands";
import type { Health } from "../state/health";
import { applyTheme } from "../state/preferences";
import type { State } from "../state/url";
import { writeState } from "../state/url";
import type { Change } from "../state/use-url-state";
import type { Room } from "./menu";
import type { Open } from "./windows";

/** What commands work with. */
export interface Act {
  state: State;
  change: Change;
  today: string;
  sites: Site[];
  site: Site | null;
  who: Who;
  open: (window: Open | null) => void;
  onSite: (domain: string) => void;
  onLeave: (() => void) | null;
}

/** The rooms a reader can go to. */
export function roomsOf(who: Who, site: Site | null): Room[] {
  if (who.kind === "link") return [];
  const rooms: Room[] = [{ label: "All sites", href: "/sites" }];
  if (site && mayChange(who)) {
    rooms.push({ label: "Site settings", href: settingsAddress(site.domain) });
    rooms.push({ label: "Shared links", href: settingsAddress(site.domain, "links") });
  }
  if (who.operator) rooms.push({ label: "Operations", href: "/operator" });
  return rooms;
}

/** Everything that can be done by name; the group "More" stands in the menu too. */
export function commandsOf(act: Act & { health: Health | null }): Command[] {
  const { state, change, open } = act;
  return [
    ...periods(act),
    ...METRICS.map((metric) => ({
      group: "Chart",
      label: metric.label,
      words: metric.meaning,
      run: () => change({ metric: metric.name }),
    })),
    {
      group: "Chart",
      label: state.table ? "As a line" : "As a table",
      run: () => change({ table: !state.table }),
    },
    ...PANELS.flatMap((panel) =>
      panel.tabs.map((tab) => ({
        group: panel.title,
        label: tab.label,
        run: () => {
          change({ tabs: { ...state.tabs, [panel.name]: tab.name } });
          document.querySelector(`[data-panel=${panel.name}]`)?.scrollIntoView({ block: "center" });
        },
      })),
    ),
    {
      group: "Filters",
      label: "Add a filter",
      key: "/",
      run: () => open({ window: "filter", filter: null }),
    },
    ...(state.filters.length > 0
      ? [
          {
            group: "Filters",
            label: "Clear filters",
            key: "Esc",
            run: () => change({ filters: [], any: false }),
          },
        ]
      : []),
    ...act.sites.map((site, index) => ({
      group: "Site",
      label: site.domain,
      ...(index < 9 ? { key: String(index + 1) } : {}),
      run: () => act.onSite(site.domain),
    })),
    ...roomsOf(act.who, act.site).map((room) => ({
      group: "Go to",
      label: room.label,
      run: () => go(room.href),
    })),
    ...more(act),
  ];
}

function periods({ state, change, today }: Act): Command[] {
  return [
    ...choices(today)
      .flat()
      .map((choice) => ({
        group: "Period",
        label: choice.label,
        key: choice.key,
        run: () => change({ period: choice.period, interval: null }),
      })),
    {
      group: "Period",
      label: state.comparison ? "Compare with nothing" : "Compare with the period before",
      key: "X",
      run: () =>
        change({ comparison: state.comparison ? null : { mode: "previous_period", matchWeekday: false } }),
    },
  ];
}

function more({ state, open, health, onLeave }: Act & { health: Health | null }): Command[] {
  const address = (revision: string | null) =>
    `${location.origin}${location.pathname}${writeState({ ...state, revision }, true)}`;
  const copy = (text: string) => navigator.clipboard?.writeText(text).catch(() => {});
  const revision = health?.revisions?.[1];
  const commands: Command[] = [
    { group: "More", label: "Commands", key: "Ctrl K", run: () => open({ window: "palette" }) },
    { group: "More", label: "Keyboard shortcuts", key: "?", run: () => open({ window: "keys" }) },
    { group: "More", label: "Ledger", words: "health complete lost", run: () => open({ window: "ledger" }) },
    { group: "More", label: "Notes", words: "annotations chart", run: () => open({ window: "notes" }) },
    { group: "More", label: "Copy link to this view", run: () => copy(address(state.revision)) },
  ];
  // Nothing is in files yet at the beginning: there is no revision to name.
  if (revision) {
    commands.push({
      group: "More",
      label: "Copy link to exactly these figures",
      words: "revision pin rev",
      run: () => copy(address(String(revision))),
    });
  }
  commands.push(
    { group: "More", label: "Light appearance", words: "theme", run: () => applyTheme("light") },
    { group: "More", label: "Dark appearance", words: "theme", run: () => applyTheme("dark") },
    { group: "More", label: "Appearance of the system", words: "theme", run: () => applyTheme("system") },
  );
  if (onLeave) commands.push({ group: "More", label: "Sign out", run: onLeave });
  return commands;
}
