/** All sites of the reader, at a glance. */
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Client } from "../api/client";
import type { Site } from "../api/types";
import { count } from "../format";
import { Frame } from "../router/frame";
import { mayChange, type Who } from "../session";
import { useRefresh } from "../view/use-refresh";
import { AddSite } from "./add-site";
import { inOrder, ORDERS, type Order } from "./order";
import { SiteCard } from "./site-card";
import { useGlances } from "./use-glances";
import "../parts/parts.css";
import "./sites.css";

const REFRESH_MS = 30_000;
/** Sites shown before more are asked for. */
const SHOWN_FIRST = 40;

interface Props {
  client: Client;
  sites: Site[];
  who: Who;
  onChanged: () => void;
  onLeave: () => void;
}

export function Sites({ client, sites, who, onChanged, onLeave }: Props) {
  const [search, setSearch] = useState("");
  const [order, setOrder] = useState<Order>("visitors");
  const [limit, setLimit] = useState(SHOWN_FIRST);
  const [generation] = useRefresh(REFRESH_MS);
  const field = useRef<HTMLInputElement>(null);
  const found = useMemo(
    () => sites.filter((site) => site.domain.includes(search.trim().toLowerCase())),
    [sites, search],
  );
  // Figures are asked for in the order of names, so that what is asked does not depend on the answers.
  const named = [...found].sort((one, other) => one.domain.localeCompare(other.domain)).slice(0, limit);
  const [glances, error] = useGlances(
    client,
    named.map((site) => site.domain),
    generation,
  );
  const shown = inOrder(named, order, glances);
  useEffect(() => {
    const toSearch = (event: KeyboardEvent) => {
      const inField =
        event.target instanceof Element && event.target.closest("input, select, textarea, dialog");
      if (event.key !== "/" || inField || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener("keydown", toSearch);
    return () => removeEventListener("keydown", toSearch);
  }, []);
  return (
    <Frame who={who} room="sites" onLeave={onLeave} title="Sites">
      <div class="sites-head">
        <div>
          <h1 class="frame-title">Sites</h1>
          <p class="frame-lead">Visitors of the last 28 days, and how that compares with the 28 before.</p>
        </div>
        {sites.length > 1 && (
          <div class="sites-tools">
            <label>
              <span class="hidden">Find a site</span>
              <input
                ref={field}
                type="search"
                class="input"
                placeholder="Find a site"
                aria-keyshortcuts="/"
                value={search}
                onInput={(event) => setSearch(event.currentTarget.value)}
              />
            </label>
            <label>
              <span class="hidden">Order</span>
              <select
                class="input"
                value={order}
                onChange={(event) => setOrder(event.currentTarget.value as Order)}
              >
                {ORDERS.map(({ name, label }) => (
                  <option key={name} value={name}>
                    {label}
                  </option>
                ))}
              </select>
            </label>
          </div>
        )}
      </div>
      {error && (
        <p class="stale-note" role="alert">
          The figures could not be loaded: {error.message} Trying again.
        </p>
      )}
      <p class="hidden" role="status">
        {search.trim() !== "" && `${count(found.length)} of ${count(sites.length)} sites`}
      </p>
      {shown.length > 0 ? (
        <ul class="sites-grid">
          {shown.map((site) => (
            <SiteCard key={site.domain} site={site} glance={glances.get(site.domain)} />
          ))}
        </ul>
      ) : (
        <p class="none-yet">
          {sites.length === 0
            ? "There is no site yet. Add one here or with weir site add."
            : `No site has “${search.trim()}” in its name.`}
        </p>
      )}
      {found.length > limit && (
        <p class="sites-more">
          <button type="button" class="button" onClick={() => setLimit(limit + SHOWN_FIRST)}>
            Show more of {count(found.length)} sites
          </button>
        </p>
      )}
      {mayChange(who) && <AddSite client={client} onAdded={onChanged} />}
    </Frame>
  );
}
