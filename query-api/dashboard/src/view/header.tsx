/** The bar that stays on top: site, present visitors, filters, period, everything else. */
import type { ComponentChildren } from "preact";
import type { Site } from "../api/types";
import { count } from "../format";
import type { Comparison } from "../state/comparison";
import type { Period } from "../state/period";
import { Chevron, Funnel, Mark, Search } from "./icons";
import { PeriodPicker } from "./period-picker";

interface Props {
  sites: Site[];
  site: Site | null;
  /** Visitors of the last five minutes; null while unknown. */
  present: number | null;
  period: Period;
  comparison: Comparison | null;
  today: string;
  busy: boolean;
  /** Inside another page: the site is not to be changed. */
  embed: boolean;
  onSite: (domain: string) => void;
  onPeriod: (period: Period) => void;
  onComparison: (comparison: Comparison | null) => void;
  onFilter: () => void;
  onPalette: () => void;
  onRealtime: () => void;
  /** The menu at the end. */
  menu: ComponentChildren;
  /** The chips below. */
  children: ComponentChildren;
}

export function Header(props: Props) {
  const { present, embed } = props;
  return (
    <header class="bar">
      <div class="bar-row">
        <div class="bar-start">
          {!embed && <Mark />}
          <SitePicker {...props} />
          {present !== null && (
            <button
              type="button"
              class="present"
              title="Visitors in the last five minutes"
              onClick={props.onRealtime}
            >
              <span class={present > 0 ? "dot dot-live" : "dot"} aria-hidden="true" />
              <strong>{count(present)}</strong> now
            </button>
          )}
        </div>
        <div class="bar-end">
          <button type="button" class="button" title="Add a filter (/)" onClick={props.onFilter}>
            <Funnel />
            <span class="wide-only" aria-hidden="true">
              Filter
            </span>
            <span class="hidden">Add a filter</span>
          </button>
          <PeriodPicker
            period={props.period}
            comparison={props.comparison}
            today={props.today}
            onPeriod={props.onPeriod}
            onComparison={props.onComparison}
          />
          <button
            type="button"
            class="button button-icon"
            title="Commands (Ctrl K)"
            onClick={props.onPalette}
          >
            <Search />
            <span class="hidden">Commands</span>
          </button>
          {props.menu}
        </div>
      </div>
      {props.children}
      <div class={props.busy ? "progress progress-busy" : "progress"} aria-hidden="true" />
    </header>
  );
}

function SitePicker({ sites, site, onSite }: Props) {
  if (sites.length === 1 && site) {
    return <h1 class="site">{site.domain}</h1>;
  }
  return (
    <div class="site-picker">
      <h1 class="hidden">{site?.domain ?? "Weir"}</h1>
      <label for="site" class="hidden">
        Site
      </label>
      <select id="site" value={site?.domain ?? ""} onChange={(event) => onSite(event.currentTarget.value)}>
        {!site && <option value="">Choose a site</option>}
        {sites.map((one) => (
          <option key={one.domain} value={one.domain}>
            {one.domain}
          </option>
        ))}
      </select>
      <Chevron />
    </div>
  );
}
