/** All sites of the reader, at a glance. */
import type { Client } from "../api/client";
import type { Site } from "../api/types";
import { Frame } from "../router/frame";
import { Link } from "../router/link";
import { viewAddress } from "../router/route";
import type { Who } from "../session";

interface Props {
  client: Client;
  sites: Site[];
  who: Who;
  onLeave: () => void;
}

export function Sites({ sites, who, onLeave }: Props) {
  return (
    <Frame who={who} room="sites" onLeave={onLeave} title="Sites">
      <h1 class="frame-title">Sites</h1>
      <ul>
        {sites.map((site) => (
          <li key={site.domain}>
            <Link href={viewAddress(site.domain)}>{site.domain}</Link>
          </li>
        ))}
      </ul>
    </Frame>
  );
}
