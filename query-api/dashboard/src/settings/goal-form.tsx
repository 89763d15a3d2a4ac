/** Adds a goal. */
import { useEffect, useRef, useState } from "preact/hooks";
import { Field } from "../parts/field";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import type { Goal, SiteApi } from "./api";
import { type Draft, EMPTY, goalOf } from "./goal-words";

interface Props {
  api: SiteApi;
  onAdded: (goal: Goal) => void;
  onCancel: () => void;
}

const KINDS: [Draft["kind"], string, string][] = [
  ["event", "An event", "Something your pages report, such as Signup or Purchase."],
  ["page", "A page", "A page is visited; * stands for anything."],
  ["scroll", "A page read", "A page is read this far down."],
];

export function GoalForm({ api, onAdded, onCancel }: Props) {
  const [draft, setDraft] = useState(EMPTY);
  const act = useAct();
  const form = useRef<HTMLFormElement>(null);
  useEffect(() => form.current?.querySelector("input")?.focus(), []);
  const set = (name: keyof Draft) => (event: Event) =>
    setDraft({ ...draft, [name]: (event.currentTarget as HTMLInputElement).value });
  const submit = async (event: Event) => {
    event.preventDefault();
    const goal = goalOf(draft);
    if ("problem" in goal) return act.refuse(goal.problem as string);
    await act.run(async () => {
      onAdded(await api.addGoal(goal));
      return null;
    });
  };
  const text = (name: keyof Draft, placeholder: string, mono = true) => ({
    id: `goal-${name}`,
    class: mono ? "input input-mono" : "input",
    autocomplete: "off" as const,
    spellcheck: false,
    placeholder,
    value: draft[name],
    onInput: set(name),
  });
  return (
    <form class="form form-inset" ref={form} onSubmit={submit} noValidate>
      <fieldset>
        <legend class="form-legend">What reaches it</legend>
        {KINDS.map(([kind, label, hint]) => (
          <label key={kind} class="option">
            <input
              type="radio"
              name="kind"
              checked={draft.kind === kind}
              onChange={() => setDraft({ ...draft, kind })}
            />
            <span>
              <strong>{label}</strong>
              <small>{hint}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <div class="form-row">
        {draft.kind === "event" ? (
          <>
            <Field id="goal-event" label="Event" hint="Exactly as the page reports it.">
              <input {...text("event", "Signup")} aria-describedby="goal-event-hint" />
            </Field>
            <Field id="goal-currency" label="Currency" optional hint="For goals that bring money.">
              <input {...text("currency", "EUR")} maxLength={3} aria-describedby="goal-currency-hint" />
            </Field>
          </>
        ) : (
          <Field id="goal-path" label="Path">
            <input {...text("path", draft.kind === "page" ? "/thanks" : "/blog/*")} />
          </Field>
        )}
        {draft.kind === "scroll" && (
          <Field id="goal-percent" label="Read so far, percent">
            <input {...text("percent", "75")} inputMode="numeric" />
          </Field>
        )}
      </div>
      <div class="form-row">
        <Field id="goal-name" label="Name" optional>
          <input {...text("name", "As it is called in the figures", false)} />
        </Field>
        <Field id="goal-property" label="Only with property" optional>
          <input {...text("property", "plan")} />
        </Field>
        <Field id="goal-value" label="of value" optional>
          <input {...text("value", "pro")} />
        </Field>
      </div>
      <div class="form-foot">
        <button type="submit" class="primary" disabled={act.busy}>
          Add the goal
        </button>
        <button type="button" class="button" onClick={onCancel}>
          Cancel
        </button>
        <Outcome act={act} />
      </div>
    </form>
  );
}
