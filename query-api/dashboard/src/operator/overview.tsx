/** Every partition: how far it is, and what of it lies where. */
import { Loaded } from "../parts/loaded";
import { useResource } from "../parts/use-resource";
import type { OperatorApi } from "./api";
import { summaryOf } from "./overview-words";
import { PartitionCard } from "./partition";

const EVERY_MS = 2_000;

export function OverviewPart({ api }: { api: OperatorApi }) {
  const overview = useResource("overview", (signal) => api.overview(signal), EVERY_MS);
  return (
    <Loaded of={overview} lines={6}>
      {({ regions, now }) => {
        const summary = summaryOf(regions);
        return (
          <>
            <p class={`verdict verdict-${summary.mood}`}>
              <span class={`dot dot-${summary.mood}`} aria-hidden="true" />
              <span>{summary.sentence}</span>
            </p>
            {regions.map((region) => (
              <section key={region.region} aria-label={`Region ${region.region}`}>
                <h2 class="region-name">Region {region.region}</h2>
                <div class="partitions">
                  {region.partitions.map((one) => (
                    <PartitionCard key={one.partition} one={one} now={Date.parse(now)} />
                  ))}
                </div>
              </section>
            ))}
          </>
        );
      }}
    </Loaded>
  );
}
