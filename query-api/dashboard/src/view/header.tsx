/** The bar that stays on top: site, present visitors, period, filters. */
import type { Site } from "../api/types";
import { count } from "../format";
import { describe, type Filter, writeFilter } from "../state/filters";
import type { Period } from "../state/period";
import { Chevron, Cross, Leave, Mark } from "./icons";
import { PeriodPicker } from "./period-picker";

interface Props {
  sites: Site[];
  site: Site | null;
  /** Visitors of the last five minutes; null while unknown. */
  present: number | null;
  period: Period;
  today: string;
  filters: Filter[];
  busy: boolean;
  onSite: (domain: string) => void;
  onPeriod: (period: Period) => void;
  onFilters: (filters: Filter[]) => void;
  onLeave: (() => void) | null;
}

export function Header(props: Props) {
  return (
    <header class="bar">
      <div class="bar-row">
        <Mark />
        <SitePicker {...props} />
        {props.present !== null && (
          <p class="present" title="Visitors in the last five minutes">
            <span class={props.present > 0 ? "dot dot-live" : "dot"} aria-hidden="true" />
            <strong>{count(props.present)}</strong>
            <span>
              {" "}
              <span class="wide-only">current {props.present === 1 ? "visitor" : "visitors"}</span>
              <span class="narrow-only">now</span>
            </span>
          </p>
        )}
        <div class="bar-end">
          <PeriodPicker period={props.period} today={props.today} onPeriod={props.onPeriod} />
          {props.onLeave && (
            <button type="button" class="button button-icon" onClick={props.onLeave} title="Sign out">
              <Leave />
              <span class="hidden">Sign out</span>
            </button>
          )}
        </div>
      </div>
      {props.filters.length > 0 && <Chips filters={props.filters} onFilters={props.onFilters} />}
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

function Chips({ filters, onFilters }: { filters: Filter[]; onFilters: (filters: Filter[]) => void }) {
  return (
    <ul class="chips" aria-label="Filters">
      {filters.map((filter) => {
        const words = describe(filter);
        return (
          <li key={writeFilter(filter)} class="chip">
            <span class="chip-text">
              {words.dimension} {words.operator} <strong>{words.value}</strong>
            </span>
            <button type="button" onClick={() => onFilters(filters.filter((other) => other !== filter))}>
              <Cross />
              <span class="hidden">
                Remove filter {words.dimension} {words.operator} {words.value}
              </span>
            </button>
          </li>
        );
      })}
      {filters.length > 1 && (
        <li>
          <button type="button" class="plain" onClick={() => onFilters([])}>
            Clear all
          </button>
        </li>
      )}
    </ul>
  );
}
