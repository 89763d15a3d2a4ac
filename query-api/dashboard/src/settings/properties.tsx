/** Names of the properties that events carry. */
import { useRef } from "preact/hooks";
import { Field } from "../parts/field";
import { Loaded } from "../parts/loaded";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { useResource } from "../parts/use-resource";
import { Cross } from "../view/icons";
import type { PartProps } from "./part-list";
import { OnlyReading, Section } from "./section";

export function Properties({ api, mayChange }: PartProps) {
  const names = useResource(api.domain, (signal) => api.properties(signal));
  const act = useAct();
  const field = useRef<HTMLInputElement>(null);
  const add = (event: Event) => {
    event.preventDefault();
    const name = field.current?.value.trim() ?? "";
    if (name === "") return act.refuse("Name the property.");
    act.run(async () => {
      await api.addProperty(name);
      names.put([...new Set([...(names.value ?? []), name])].sort());
      if (field.current?.value.trim() === name) field.current.value = "";
      return `${name} is shown among the properties.`;
    });
  };
  const remove = (name: string) =>
    act.run(async () => {
      await api.removeProperty(name);
      names.put((names.value ?? []).filter((one) => one !== name));
      return `${name} is no longer shown. Its values are kept.`;
    });
  return (
    <Section
      title="Custom properties"
      lead="What your events tell beside their name, such as the author of a page or the size of an order. Named here, a property has its place in the figures."
    >
      <Loaded of={names}>
        {(list) => (
          <>
            {list.length === 0 ? (
              <p class="none-yet">No properties are named yet.</p>
            ) : (
              <ul class="pills">
                {list.map((name) => (
                  <li key={name} class="pill">
                    <code>{name}</code>
                    {mayChange && (
                      <button type="button" disabled={act.busy} onClick={() => remove(name)}>
                        <Cross />
                        <span class="hidden">Remove {name}</span>
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            )}
            {mayChange ? (
              <form class="form" onSubmit={add} noValidate>
                <div class="add-line">
                  <Field id="property" label="Add a property">
                    <input
                      id="property"
                      ref={field}
                      class="input input-mono"
                      autocomplete="off"
                      spellcheck={false}
                      placeholder="author"
                      maxLength={300}
                    />
                  </Field>
                  <button type="submit" class="primary" disabled={act.busy}>
                    Add
                  </button>
                </div>
                <Outcome act={act} />
              </form>
            ) : (
              <OnlyReading />
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}
