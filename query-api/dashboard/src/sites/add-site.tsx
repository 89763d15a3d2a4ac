/** Adds a site. */
import { useRef, useState } from "preact/hooks";
import type { Client } from "../api/client";
import { Field } from "../parts/field";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { go } from "../router/navigate";
import { settingsAddress } from "../router/route";

export function AddSite({ client, onAdded }: { client: Client; onAdded: () => void }) {
  const [open, setOpen] = useState(false);
  const act = useAct();
  const field = useRef<HTMLInputElement>(null);
  const submit = (event: Event) => {
    event.preventDefault();
    const domain = field.current?.value.trim() ?? "";
    if (domain === "") return act.refuse("Type the domain first.");
    act.run(async () => {
      const timezone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      const body = { domain, timezone };
      const made = (await client.call("POST", "/api/v1/sites", body)) as { domain: string };
      onAdded();
      go(settingsAddress(made.domain, "setup"));
      return null;
    });
  };
  if (!open) {
    return (
      <p class="sites-more">
        <button type="button" class="button" onClick={() => setOpen(true)}>
          Add a site
        </button>
      </p>
    );
  }
  return (
    <form class="surface sites-add form" onSubmit={submit} noValidate>
      <Field
        id="new-site"
        label="Domain of the new site"
        hint={`Its days begin in ${Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ")}; that can be changed later.`}
      >
        <input
          id="new-site"
          ref={(input) => {
            field.current = input;
            if (input && input.value === "") input.focus();
          }}
          class="input input-mono"
          placeholder="shop.example"
          aria-describedby="new-site-hint"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
        />
      </Field>
      <div class="form-foot">
        <button type="submit" class="primary" disabled={act.busy}>
          Add the site
        </button>
        <button type="button" class="button" onClick={() => setOpen(false)}>
          Cancel
        </button>
        <Outcome act={act} />
      </div>
    </form>
  );
}
