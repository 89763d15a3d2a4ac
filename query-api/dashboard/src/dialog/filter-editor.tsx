/** Makes or changes a filter: what, how, and which values, with suggestions from the site's own figures. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { Client } from "../api/client";
import type { Segment } from "../api/types";
import { nameOf } from "../report/names";
import { suggestionsQuery, type View } from "../report/queries";
import {
  DIMENSIONS,
  dimensionLabel,
  type Filter,
  OPERATORS,
  type Operator,
  operatorsOf,
} from "../state/filters";
import { Cross } from "../view/icons";
import { Dialog } from "./dialog";

interface Props {
  client: Client;
  view: View;
  /** The filter to change; null makes a new one. */
  filter: Filter | null;
  segments: Segment[];
  properties: string[];
  onFilter: (filter: Filter) => void;
  onClose: () => void;
}

export function FilterEditor({ client, view, filter, segments, properties, onFilter, onClose }: Props) {
  const [dimension, setDimension] = useState(filter?.dimension ?? "page");
  const [operator, setOperator] = useState<Operator>(filter?.operator ?? "is");
  const [clauses, setClauses] = useState<string[]>(filter?.clauses ?? []);
  const [text, setText] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const suggested = useSuggestions(client, view, dimension, text);
  const names = [
    ...Object.keys(DIMENSIONS).filter((name) => name !== "segment"),
    ...properties.map((name) => `props:${name}`),
  ];
  if (!names.includes(dimension) && dimension !== "segment") names.push(dimension);
  if (segments.length > 0) names.push("segment");

  const chooseDimension = (chosen: string) => {
    setDimension(chosen);
    setClauses([]);
    setText("");
    if (!operatorsOf(chosen).includes(operator)) setOperator("is");
  };
  const add = (value: string) => {
    const clause = codeOf(dimension, value.trim(), suggested, segments);
    if (clause !== "" && !clauses.includes(clause)) setClauses([...clauses, clause]);
    setText("");
    setProblem(null);
    field.current?.focus();
  };
  const submit = (event: Event) => {
    event.preventDefault();
    const last = codeOf(dimension, text.trim(), suggested, segments);
    const all = last === "" || clauses.includes(last) ? clauses : [...clauses, last];
    if (all.length === 0) {
      setProblem("Give at least one value.");
      field.current?.focus();
      return;
    }
    onFilter({ operator, dimension, clauses: all });
  };
  const options =
    dimension === "segment" ? segments.map((segment) => segment.name) : suggested.map((one) => one.text);
  return (
    <Dialog title={filter ? "Change filter" : "Add a filter"} onClose={onClose}>
      <form class="filter-form" onSubmit={submit} noValidate>
        <div class="filter-what">
          <label>
            <span>Filter by</span>
            <select
              autofocus
              value={dimension}
              onChange={(event) => chooseDimension(event.currentTarget.value)}
            >
              {names.map((name) => (
                <option key={name} value={name}>
                  {name.startsWith("props:") ? `Property: ${dimensionLabel(name)}` : dimensionLabel(name)}
                </option>
              ))}
            </select>
          </label>
          <label>
            <span>Condition</span>
            <select value={operator} onChange={(event) => setOperator(event.currentTarget.value as Operator)}>
              {operatorsOf(dimension).map((name) => (
                <option key={name} value={name}>
                  {OPERATORS[name]}
                </option>
              ))}
            </select>
          </label>
        </div>
        <label for="filter-value">Value{clauses.length > 0 && " (any of them is enough)"}</label>
        {clauses.length > 0 && (
          <ul class="filter-values" aria-label="Values">
            {clauses.map((clause) => (
              <li key={clause} class="chip">
                <span class="chip-text">
                  {dimension === "segment"
                    ? (segments.find((segment) => String(segment.id) === clause)?.name ?? clause)
                    : nameOf(dimension, clause).text}
                </span>
                <button
                  type="button"
                  class="chip-cross"
                  onClick={() => setClauses(clauses.filter((other) => other !== clause))}
                >
                  <Cross />
                  <span class="hidden">Remove {clause}</span>
                </button>
              </li>
            ))}
          </ul>
        )}
        <div class="filter-add">
          <input
            id="filter-value"
            ref={field}
            type="text"
            list="filter-values"
            autocomplete="off"
            spellcheck={false}
            value={text}
            aria-invalid={problem !== null}
            aria-describedby="filter-problem"
            onInput={(event) => {
              const value = event.currentTarget.value;
              // A suggestion that is picked arrives as a whole.
              if (options.includes(value) && !(event as InputEvent).inputType?.startsWith("insertText"))
                add(value);
              else setText(value);
            }}
            onKeyDown={(event) => {
              if (event.key !== "Enter" || text.trim() === "") return;
              event.preventDefault();
              add(text);
            }}
          />
          <button type="button" class="button" onClick={() => add(text)}>
            Add value
          </button>
        </div>
        <datalist id="filter-values">
          {options.map((option) => (
            <option key={option} value={option} />
          ))}
        </datalist>
        <p class="problem" id="filter-problem" role="alert">
          {problem}
        </p>
        {suggested.length > 0 && dimension !== "segment" && (
          <div class="filter-suggested">
            <span class="quiet-text">Often:</span>
            {suggested
              .filter((one) => !clauses.includes(one.value))
              .slice(0, 6)
              .map((one) => (
                <button key={one.value} type="button" class="tag tag-button" onClick={() => add(one.text)}>
                  {one.text}
                </button>
              ))}
          </div>
        )}
        <div class="dialog-foot">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class="primary">
            {filter ? "Change filter" : "Add filter"}
          </button>
        </div>
      </form>
    </Dialog>
  );
}

interface Suggestion {
  value: string;
  text: string;
}

/** The value behind what a reader wrote: codes of countries and segments are chosen by name. */
function codeOf(dimension: string, text: string, suggested: Suggestion[], segments: Segment[]): string {
  if (dimension === "segment") {
    return String(segments.find((segment) => segment.name === text)?.id ?? "");
  }
  return suggested.find((one) => one.text === text)?.value ?? text;
}

function useSuggestions(client: Client, view: View, dimension: string, text: string): Suggestion[] {
  const [found, setFound] = useState<Suggestion[]>([]);
  useEffect(() => {
    if (dimension === "segment") return setFound([]);
    const abort = new AbortController();
    client.query(suggestionsQuery(view, dimension, text), abort.signal).then(
      (answer) => {
        if (abort.signal.aborted) return;
        const values = answer.results.map((row) => row.dimensions[0] ?? "");
        setFound(
          values
            .filter((value) => value !== "" && value !== "(none)")
            .map((value) => ({ value, text: nameOf(dimension, value).text })),
        );
      },
      () => {
        // Without suggestions a value can still be written.
      },
    );
    return () => abort.abort();
  }, [client, view.site, dimension, text]);
  return found;
}
