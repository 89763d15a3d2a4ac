/** A panel: one of several lists, chosen by tabs; every row filters the page. */
import type { ComponentChildren } from "preact";
import type { Client } from "../api/client";
import type { Meta, QueryBody } from "../api/types";
import { type Panel, type Tab, tabOf } from "../report/panels";
import type { View } from "../report/queries";
import { List } from "./list";
import { MapPanel } from "./map-panel";
import { Properties } from "./properties";

/** What every panel needs. */
export interface PanelProps {
  client: Client;
  view: View;
  generation: number;
  onRow: (dimension: string, value: string, exclude: boolean) => void;
  onDetails: () => void;
  onApi: (title: string, body: QueryBody) => void;
  onMeta: (meta: Meta) => void;
  onRetry: () => void;
}

interface Props extends PanelProps {
  panel: Panel;
  tab: string;
  property: string | null;
  /** Names of properties that the site defines. */
  properties: string[];
  /** Asked for, but not known yet to be worth showing. */
  hidden?: boolean;
  onTab: (tab: string) => void;
  onProperty: (property: string) => void;
}

export function PanelView(props: Props) {
  const { panel } = props;
  const tab = tabOf(panel, props.tab);
  const head = headOf(panel, tab, props.onTab);
  return (
    <PanelFrame panel={panel} tab={tab} hidden={props.hidden} onTab={props.onTab}>
      {tab.look === "map" ? (
        <MapPanel key={tab.name} {...props} tab={tab} title={panel.title} />
      ) : tab.look === "properties" ? (
        <Properties {...props} tab={tab} />
      ) : (
        <List key={tab.name} {...props} tab={tab} title={panel.title} head={head} />
      )}
    </PanelFrame>
  );
}

/** What a list is of: a menu where several lists stand under one tab. */
function headOf(panel: Panel, tab: Tab, onTab: (tab: string) => void): ComponentChildren {
  const top = tab.under ?? tab.name;
  const family = panel.tabs.filter((one) => one.name === top || one.under === top);
  if (family.length === 1) return tab.column;
  return (
    <select
      class="inline-select"
      aria-label={`${panel.title}: which`}
      value={tab.name}
      onChange={(event) => onTab(event.currentTarget.value)}
    >
      {family.map((one) => (
        <option key={one.name} value={one.name}>
          {one.column}
        </option>
      ))}
    </select>
  );
}

interface FrameProps {
  panel: Panel;
  tab: Tab;
  hidden?: boolean | undefined;
  onTab: (tab: string) => void;
  children: ComponentChildren;
}

export function PanelFrame({ panel, tab, hidden, onTab, children }: FrameProps) {
  const title = `panel-${panel.name}`;
  const tops = panel.tabs.filter((one) => one.under === undefined);
  const top = tab.under ?? tab.name;
  return (
    <section
      class={panel.wide ? "panel panel-wide" : "panel"}
      aria-labelledby={title}
      data-panel={panel.name}
      hidden={hidden}
    >
      <div class="panel-head">
        <h2 id={title}>{panel.title}</h2>
        {tops.length > 1 && (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a form around buttons.
          <div class="tabs" role="group" aria-label={`${panel.title} by`}>
            {tops.map((one) => (
              <button
                type="button"
                key={one.name}
                aria-pressed={one.name === top}
                onClick={() => onTab(one.name)}
              >
                {one.label}
              </button>
            ))}
          </div>
        )}
      </div>
      {children}
    </section>
  );
}
