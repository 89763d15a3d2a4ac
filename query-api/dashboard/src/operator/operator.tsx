/** The state of the whole system, for whoever runs it. */
import { useMemo } from "preact/hooks";
import type { Client } from "../api/client";
import { Frame } from "../router/frame";
import { Link } from "../router/link";
import type { Who } from "../session";
import { OperatorApi } from "./api";
import { OverviewPart } from "./overview";
import { RejectedPart } from "./rejected";
import { ReplayPart } from "./replay";
import "../parts/parts.css";
import "./operator.css";

interface Props {
  client: Client;
  who: Who;
  part: string | null;
  onLeave: () => void;
}

const OVERVIEW = { name: "overview", label: "Overview", Part: OverviewPart };
const PARTS = [
  OVERVIEW,
  { name: "rejected", label: "Refused events", Part: RejectedPart },
  { name: "replay", label: "Replay", Part: ReplayPart },
];

export function Operator({ client, who, part, onLeave }: Props) {
  const api = useMemo(() => new OperatorApi(client), [client]);
  const shown = PARTS.find((one) => one.name === part) ?? OVERVIEW;
  return (
    <Frame who={who} room="operator" onLeave={onLeave} title="Operations">
      {who.operator ? (
        <>
          <div class="operator-head">
            <h1 class="frame-title">Operations</h1>
            <nav class="operator-nav nav-links" aria-label="Parts of operations">
              {PARTS.map((one) => (
                <Link key={one.name} href={`/operator?part=${one.name}`} current={one === shown}>
                  {one.label}
                </Link>
              ))}
            </nav>
          </div>
          <shown.Part api={api} />
        </>
      ) : (
        <>
          <h1 class="frame-title">This is the operator's</h1>
          <p class="frame-lead">
            Sign in with the admin key to see it. <Link href="/">Go to the figures</Link>.
          </p>
        </>
      )}
    </Frame>
  );
}
