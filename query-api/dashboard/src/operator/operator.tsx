/** The state of the whole system, for whoever runs it. */
import type { Client } from "../api/client";
import { Frame } from "../router/frame";
import type { Who } from "../session";

interface Props {
  client: Client;
  who: Who;
  part: string | null;
  onLeave: () => void;
}

export function Operator({ who, onLeave }: Props) {
  return (
    <Frame who={who} room="operator" onLeave={onLeave} title="Operations">
      <h1 class="frame-title">Operations</h1>
    </Frame>
  );
}
