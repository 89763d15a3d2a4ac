/** The filters as chips: changed on a click, taken away by their cross, joined by "and" or "or". */
import type { Segment } from "../api/types";
import { describe, type Filter, isTopLevel, writeFilter } from "../state/filters";
import { Cross } from "./icons";

interface Props {
  filters: Filter[];
  any: boolean;
  segments: Segment[];
  onFilters: (filters: Filter[]) => void;
  onAny: (any: boolean) => void;
  onEdit: (filter: Filter) => void;
  /** Keeps the filters under a name; absent for readers who may not. */
  onSave?: (() => void) | undefined;
}

/** Names of saved segments, for the words of a filter. */
export function segmentName(segments: Segment[]): (dimension: string, clause: string) => string | undefined {
  return (dimension, clause) =>
    dimension === "segment" ? segments.find((segment) => String(segment.id) === clause)?.name : undefined;
}

export function Chips({ filters, any, segments, onFilters, onAny, onEdit, onSave }: Props) {
  const loose = filters.filter((filter) => !isTopLevel(filter)).length;
  return (
    <div class="chips">
      <ul aria-label="Filters">
        {filters.map((filter) => {
          const words = describe(filter, segmentName(segments));
          return (
            <li key={writeFilter(filter)} class="chip">
              <button
                type="button"
                class="chip-text"
                title="Change this filter"
                onClick={() => onEdit(filter)}
              >
                {words.dimension} {words.operator} <strong>{words.value}</strong>
              </button>
              <button
                type="button"
                class="chip-cross"
                onClick={() => onFilters(filters.filter((other) => other !== filter))}
              >
                <Cross />
                <span class="hidden">
                  Remove filter {words.dimension} {words.operator} {words.value}
                </span>
              </button>
            </li>
          );
        })}
      </ul>
      {loose > 1 && (
        <button
          type="button"
          class="plain"
          title={any ? "Any one of the filters is enough" : "All filters must hold"}
          onClick={() => onAny(!any)}
        >
          match {any ? "any" : "all"}
        </button>
      )}
      {onSave && (
        <button type="button" class="plain" onClick={onSave}>
          Save as segment
        </button>
      )}
      <button type="button" class="plain" onClick={() => onFilters([])}>
        Clear
      </button>
    </div>
  );
}
