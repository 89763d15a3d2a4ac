/** One list of shields: its entries, and a line to add one. */
import { useRef } from "preact/hooks";
import { country, flag } from "../format";
import { Field } from "../parts/field";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { Cross } from "../view/icons";
import type { Shields } from "./api";
import { Section } from "./section";

interface Props {
  name: keyof Shields;
  title: string;
  lead: string;
  placeholder: string;
  none: string;
  entries: string[];
  onEntries: (entries: string[]) => Promise<void>;
}

export function ShieldList({ name, title, lead, placeholder, none, entries, onEntries }: Props) {
  const act = useAct();
  const field = useRef<HTMLInputElement>(null);
  const add = (event: Event) => {
    event.preventDefault();
    const given = field.current?.value.trim() ?? "";
    const entry = name === "countries" ? given.toUpperCase() : given;
    if (entry === "") return act.refuse("Write what is to be left out first.");
    if (entries.includes(entry)) return act.refuse(`${entry} stands there already.`);
    act.run(async () => {
      await onEntries([...entries, entry]);
      if (field.current?.value.trim() === given) field.current.value = "";
      return `${entry} is added. It holds within seconds, for events to come.`;
    });
  };
  const remove = (entry: string) =>
    act.run(async () => {
      await onEntries(entries.filter((one) => one !== entry));
      return `${entry} is taken away.`;
    });
  return (
    <Section title={title} lead={lead}>
      {entries.length === 0 ? (
        <p class="soft">{none}</p>
      ) : (
        <ul class="pills">
          {entries.map((entry) => (
            <li key={entry} class="pill">
              {name === "countries" ? (
                <span>
                  <span aria-hidden="true">{flag(entry)}</span> {country(entry)}
                </span>
              ) : (
                <code>{entry}</code>
              )}
              <button type="button" disabled={act.busy} onClick={() => remove(entry)}>
                <Cross />
                <span class="hidden">Remove {entry}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <form class="form" onSubmit={add} noValidate>
        <div class="add-line">
          <Field id={`shield-${name}`} label={`Add to ${title.toLowerCase()}`}>
            <input
              id={`shield-${name}`}
              ref={field}
              class="input input-mono"
              autocomplete="off"
              autocapitalize="off"
              spellcheck={false}
              placeholder={placeholder}
            />
          </Field>
          <button type="submit" class="primary" disabled={act.busy}>
            Add<span class="hidden"> to {title.toLowerCase()}</span>
          </button>
        </div>
        <Outcome act={act} />
      </form>
    </Section>
  );
}
