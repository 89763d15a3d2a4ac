/** What is shown for an address that names no room. */
import type { Who } from "../session";
import { Frame } from "./frame";
import { Link } from "./link";

export function Nowhere({ who, onLeave }: { who: Who; onLeave: () => void }) {
  return (
    <Frame who={who} room="nowhere" onLeave={onLeave} title="No such page">
      <h1 class="frame-title">There is no page at this address</h1>
      <p class="frame-lead">
        Perhaps it was typed by hand, or it comes from another version.{" "}
        <Link href="/">Go to the figures</Link>.
      </p>
    </Frame>
  );
}
