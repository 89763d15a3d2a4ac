/** How one site is set up, part by part. */
import { useMemo } from "preact/hooks";
import type { Client } from "../api/client";
import type { Site } from "../api/types";
import { Loaded } from "../parts/loaded";
import { useResource } from "../parts/use-resource";
import { Frame } from "../router/frame";
import { Link } from "../router/link";
import { go } from "../router/navigate";
import { settingsAddress, viewAddress } from "../router/route";
import type { Who } from "../session";
import { SiteApi } from "./api";
import { PARTS, type PartProps, partOf } from "./part-list";
import "../parts/parts.css";
import "./settings.css";

interface Props {
  client: Client;
  sites: Site[];
  who: Who;
  site: string | null;
  part: string | null;
  /** Something changed that the list of sites tells, such as a domain. */
  onChanged: () => void;
  onLeave: () => void;
}

export function Settings({ client, sites, who, site, part, onChanged, onLeave }: Props) {
  const known = sites.find((one) => one.domain === site);
  return (
    <Frame
      who={who}
      room="settings"
      onLeave={onLeave}
      title={site ? `Settings of ${site}` : "Settings"}
      {...(known && { site: known.domain })}
    >
      {known ? (
        <OfSite
          key={known.domain}
          client={client}
          sites={sites}
          site={known}
          part={part}
          onChanged={onChanged}
        />
      ) : (
        <>
          <h1 class="frame-title">{site ? `Your key does not read ${site}` : "There is no site yet"}</h1>
          <p class="frame-lead">
            <Link href="/sites">Choose one of your sites</Link>, or sign in with another key.
          </p>
        </>
      )}
    </Frame>
  );
}

function OfSite({
  client,
  sites,
  site,
  part,
  onChanged,
}: {
  client: Client;
  sites: Site[];
  site: Site;
  part: string | null;
  onChanged: () => void;
}) {
  const api = useMemo(() => new SiteApi(client, site.domain), [client, site.domain]);
  const settings = useResource(site.domain, (signal) => api.settings(signal));
  const shown = partOf(part);
  return (
    <>
      <div class="settings-head">
        <div>
          <p class="settings-over">Settings</p>
          <h1 class="frame-title">{site.domain}</h1>
        </div>
        <div class="settings-head-end">
          {sites.length > 1 && (
            <label class="settings-switch">
              <span class="hidden">Site</span>
              <select
                class="input"
                value={site.domain}
                onChange={(event) => go(settingsAddress(event.currentTarget.value, shown.name))}
              >
                {sites.map((one) => (
                  <option key={one.domain} value={one.domain}>
                    {one.domain}
                  </option>
                ))}
              </select>
            </label>
          )}
          <Link class="button" href={viewAddress(site.domain)}>
            See the figures
          </Link>
        </div>
      </div>
      <div class="settings-body">
        <nav class="settings-nav nav-links" aria-label="Parts of the settings">
          {PARTS.map((one) => (
            <Link
              key={one.name}
              href={settingsAddress(site.domain, one.name)}
              current={one.name === shown.name}
            >
              {one.label}
            </Link>
          ))}
        </nav>
        <div class="settings-part">
          <Loaded of={settings}>
            {(value) => {
              const props: PartProps = {
                api,
                settings: value,
                mayChange: value.may.includes("change_site"),
                onSettings: settings.put,
                onChanged,
              };
              return <shown.Part key={shown.name} {...props} />;
            }}
          </Loaded>
        </div>
      </div>
    </>
  );
}
