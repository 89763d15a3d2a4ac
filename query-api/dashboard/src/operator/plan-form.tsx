/** Asks from where on history is to be made anew, and by which rules. */
import { useRef, useState } from "preact/hooks";
import { Field } from "../parts/field";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import type { OperatorApi } from "./api";
import { planBody } from "./plan-body";
import { type Edited, RulesEditor } from "./rules-editor";

const RULES = [
  ["built_in", "of this program"],
  ["unchanged", "that are served: the same again"],
  ["edited", "changed here"],
  ["files", "of these files"],
] as const;
type RulesName = (typeof RULES)[number][0];

interface Props {
  api: OperatorApi;
  busy: boolean;
  disabled: boolean;
  /** A replay is there already: it has to end before another begins. */
  inProgress: boolean;
  onPlan: (body: Record<string, unknown>) => void;
  /** Seals what was received: a plan reaches as far as files do. */
  onSeal: () => void;
}

export function PlanForm({ api, busy, disabled, inProgress, onPlan, onSeal }: Props) {
  const [by, setBy] = useState<"time" | "seq">("time");
  const [time, setTime] = useState("");
  const [seq, setSeq] = useState("1");
  const [rules, setRules] = useState<RulesName>("built_in");
  const [edited, setEdited] = useState<Edited>({});
  const files = useRef<HTMLInputElement>(null);
  const act = useAct();
  const submit = async (event: Event) => {
    event.preventDefault();
    const chosen =
      rules === "files" ? await texts(files.current?.files ?? null) : rules === "edited" ? edited : rules;
    const body = planBody(by, by === "time" ? time : seq, chosen);
    if ("problem" in body) return act.refuse(String(body.problem));
    act.refuse(null);
    onPlan(body);
  };
  if (inProgress) {
    return <p class="soft">A replay is in progress: it is served or discarded before another is planned.</p>;
  }
  return (
    <form class="form" onSubmit={submit} noValidate>
      <div class="form-row">
        <fieldset>
          <legend class="form-legend">Made anew from</legend>
          <Choice name="by" checked={by === "time"} label="a time on" onChoice={() => setBy("time")} />
          <Choice name="by" checked={by === "seq"} label="a message on" onChoice={() => setBy("seq")} />
          {by === "time" ? (
            <Field id="plan-time" label="Received since" hint="Your own clock.">
              <input
                id="plan-time"
                type="datetime-local"
                class="input"
                aria-describedby="plan-time-hint"
                value={time}
                onInput={(event) => setTime(event.currentTarget.value)}
              />
            </Field>
          ) : (
            <Field id="plan-seq" label="Number in the stream" hint="1 is the whole stream.">
              <input
                id="plan-seq"
                class="input"
                inputMode="numeric"
                aria-describedby="plan-seq-hint"
                value={seq}
                onInput={(event) => setSeq(event.currentTarget.value)}
              />
            </Field>
          )}
        </fieldset>
        <fieldset>
          <legend class="form-legend">By the rules</legend>
          {RULES.map(([name, label]) => (
            <Choice
              key={name}
              name="rules"
              checked={rules === name}
              label={label}
              onChoice={() => setRules(name)}
            />
          ))}
          {rules === "files" && (
            <Field id="plan-files" label="Files of a rules folder">
              <input id="plan-files" ref={files} class="input" type="file" multiple />
            </Field>
          )}
        </fieldset>
      </div>
      {rules === "edited" && <RulesEditor api={api} edited={edited} onEdited={setEdited} />}
      <div class="form-foot">
        <button type="submit" class="primary" disabled={disabled}>
          {busy ? "Planning…" : "Plan"}
        </button>
        <button
          type="button"
          class="button"
          disabled={disabled}
          title="A plan reaches as far as there are files"
          onClick={onSeal}
        >
          Seal what was received
        </button>
        <Outcome act={act} />
      </div>
    </form>
  );
}

function Choice({
  name,
  checked,
  label,
  onChoice,
}: {
  name: string;
  checked: boolean;
  label: string;
  onChoice: () => void;
}) {
  return (
    <label class="option">
      <input type="radio" name={name} checked={checked} onChange={onChoice} />
      <span>{label}</span>
    </label>
  );
}

async function texts(chosen: FileList | null): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const file of chosen ?? []) found[file.name] = await file.text();
  return found;
}
