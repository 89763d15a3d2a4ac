/** Makes a shared link. */
import { useRef } from "preact/hooks";
import { Field } from "../parts/field";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import type { SiteApi } from "./api";

export function LinkForm({ api, onMade }: { api: SiteApi; onMade: () => void }) {
  const act = useAct();
  const form = useRef<HTMLFormElement>(null);
  const name = useRef<HTMLInputElement>(null);
  const password = useRef<HTMLInputElement>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const called = name.current?.value.trim() ?? "";
    if (called === "") {
      name.current?.focus();
      return act.refuse("Name the link: for whom it is.");
    }
    const secret = password.current?.value ?? "";
    // What is typed meanwhile is for the next link.
    form.current?.reset();
    const made = await act.run(async () => {
      const link = await api.addLink(called, secret);
      onMade();
      return `The link ${link.name} is there.`;
    });
    if (!made && name.current?.value === "") {
      name.current.value = called;
      if (password.current) password.current.value = secret;
    }
  };
  return (
    <form class="form form-inset" ref={form} onSubmit={submit} noValidate>
      <div class="form-row">
        <Field id="link-name" label="Name of the new link">
          <input id="link-name" ref={name} class="input" autocomplete="off" placeholder="For the agency" />
        </Field>
        <Field id="link-password" label="Password" optional>
          <input
            id="link-password"
            ref={password}
            class="input"
            type="password"
            autocomplete="new-password"
          />
        </Field>
      </div>
      <div class="form-foot">
        <button type="submit" class="primary" disabled={act.busy}>
          Make the link
        </button>
        <Outcome act={act} />
      </div>
    </form>
  );
}
