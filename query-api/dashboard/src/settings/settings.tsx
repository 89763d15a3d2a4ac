/** How one site is set up. */
import type { Client } from "../api/client";
import type { Site } from "../api/types";
import { Frame } from "../router/frame";
import type { Who } from "../session";

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

export function Settings({ who, site, onLeave }: Props) {
  return (
    <Frame who={who} room="settings" onLeave={onLeave} title="Settings">
      <h1 class="frame-title">Settings of {site}</h1>
    </Frame>
  );
}
