/** Changes the name of a site. */
import { useState } from "preact/hooks";
import { Field } from "../parts/field";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { go } from "../router/navigate";
import { settingsAddress } from "../router/route";
import type { PartProps } from "./part-list";

export function DomainForm({ api, settings, onChanged }: PartProps) {
  const act = useAct();
  const [domain, setDomain] = useState(settings.domain);
  const submit = (event: Event) => {
    event.preventDefault();
    act.run(async () => {
      const renamed = await api.rename(domain.trim());
      onChanged();
      go(settingsAddress(renamed.domain, "general"));
      return null;
    });
  };
  return (
    <form class="form" onSubmit={submit}>
      <Field
        id="domain"
        label="Domain"
        hint={
          settings.former_domain
            ? `Formerly ${settings.former_domain}. Change the snippet on your pages as well.`
            : "Change the snippet on your pages as well."
        }
      >
        <input
          id="domain"
          class="input input-mono"
          aria-describedby="domain-hint"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          value={domain}
          onInput={(event) => setDomain(event.currentTarget.value)}
        />
      </Field>
      <div class="form-foot">
        <button
          type="submit"
          class="primary"
          disabled={act.busy || domain.trim() === "" || domain.trim() === settings.domain}
        >
          Change domain
        </button>
        <Outcome act={act} />
      </div>
    </form>
  );
}
