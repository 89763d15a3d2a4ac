/** How far the shadow is built. */
import { count, percent } from "../format";
import type { ReplayStatus } from "./api";

export function Progress({ status }: { status: ReplayStatus }) {
  return (
    <div class="progress-list">
      {status.partitions.map((one) => {
        const done = Math.max(0, Math.min(100, one.percent));
        const name = `${one.region} · partition ${one.partition}`;
        return (
          <div key={name} class="progress-row">
            <span>{name}</span>
            <progress max={100} value={done} aria-label={name} />
            <span class="number">{percent(Math.floor(done))}</span>
          </div>
        );
      })}
      <p class="soft">
        {count(status.events)} events folded anew
        {status.logic ? ` by rules ${status.logic.slice(0, 14)}…` : " by the rules that are served"}
      </p>
    </div>
  );
}
