/** How many events a second are taken. */
import { useState } from "preact/hooks";
import { Field } from "../parts/field";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import type { PartProps } from "./part-list";

export function Limits({ api, settings, onSettings }: PartProps) {
  const act = useAct();
  const [site, setSite] = useState(String(settings.limits.site_per_s));
  const [address, setAddress] = useState(String(settings.limits.address_per_s));
  const submit = (event: Event) => {
    event.preventDefault();
    const limits = { site_per_s: Number(site), address_per_s: Number(address) };
    if (!Object.values(limits).every((limit) => Number.isSafeInteger(limit) && limit >= 0)) {
      return act.refuse("A limit is a whole number; 0 is none.");
    }
    act.run(async () => {
      onSettings(await api.change({ limits }));
      return "Saved.";
    });
  };
  return (
    <form class="form" onSubmit={submit} noValidate>
      <div class="form-row">
        <Field id="limit-site" label="Events a second, of the site" hint="0 is no limit.">
          <input
            id="limit-site"
            class="input"
            inputMode="numeric"
            autocomplete="off"
            aria-describedby="limit-site-hint"
            value={site}
            onInput={(event) => setSite(event.currentTarget.value)}
          />
        </Field>
        <Field id="limit-address" label="Events a second, of one address" hint="0 is no limit.">
          <input
            id="limit-address"
            class="input"
            inputMode="numeric"
            autocomplete="off"
            aria-describedby="limit-address-hint"
            value={address}
            onInput={(event) => setAddress(event.currentTarget.value)}
          />
        </Field>
      </div>
      <div class="form-foot">
        <button type="submit" class="primary" disabled={act.busy}>
          Save limits
        </button>
        <Outcome act={act} />
      </div>
    </form>
  );
}
