/** Filters that were saved under a name. */
import { Loaded } from "../parts/loaded";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { useResource } from "../parts/use-resource";
import { Link } from "../router/link";
import { viewAddress } from "../router/route";
import { Cross } from "../view/icons";
import type { Segment } from "./api";
import { filterWords } from "./filter-words";
import type { PartProps } from "./part-list";
import { Section } from "./section";

export function Segments({ api, mayChange }: PartProps) {
  const segments = useResource(api.domain, (signal) => api.segments(signal));
  const act = useAct();
  const remove = (segment: Segment) =>
    act.run(async () => {
      await api.removeSegment(segment.id);
      segments.put((segments.value ?? []).filter((one) => one.id !== segment.id));
      return `${segment.name} is deleted.`;
    });
  return (
    <Section
      title="Segments"
      lead="Filters saved under a name, beside the figures. Those of the site are seen by all its readers."
    >
      <Loaded of={segments}>
        {(list) => (
          <>
            {list.length === 0 ? (
              <p class="none-yet">
                No segments yet. <Link href={viewAddress(api.domain)}>Filter the figures</Link> and save the
                filters there.
              </p>
            ) : (
              <ul class="rows">
                {list.map((segment) => (
                  <li key={segment.id} class="rows-row">
                    <div class="rows-text">
                      <strong>{segment.name}</strong>
                      <span class="soft">{segment.filters.map(filterWords).join("; ")}</span>
                    </div>
                    <span class="badge">{segment.type === "site" ? "for all readers" : "your own"}</span>
                    {(mayChange || segment.type === "personal") && (
                      <button
                        type="button"
                        class="button button-icon rows-remove"
                        disabled={act.busy}
                        onClick={() => remove(segment)}
                      >
                        <Cross />
                        <span class="hidden">Delete {segment.name}</span>
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            )}
            <Outcome act={act} />
          </>
        )}
      </Loaded>
    </Section>
  );
}
