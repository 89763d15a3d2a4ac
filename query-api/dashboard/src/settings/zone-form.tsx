/** Changes the zone by which days and hours are counted. */
import { useState } from "preact/hooks";
import { Field } from "../parts/field";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import type { PartProps } from "./part-list";

export function ZoneForm({ api, settings, onSettings, onChanged }: PartProps) {
  const act = useAct();
  const [zone, setZone] = useState(settings.timezone);
  const zones = Intl.supportedValuesOf("timeZone");
  if (!zones.includes(settings.timezone)) zones.unshift(settings.timezone);
  if (!zones.includes("UTC")) zones.unshift("UTC");
  const submit = (event: Event) => {
    event.preventDefault();
    act.run(async () => {
      onSettings(await api.change({ timezone: zone }));
      onChanged();
      return "Saved. Figures are counted by this zone from now on.";
    });
  };
  return (
    <form class="form" onSubmit={submit}>
      <Field id="zone" label="Time zone" hint={clock(zone)}>
        <select
          id="zone"
          class="input"
          aria-describedby="zone-hint"
          value={zone}
          onChange={(event) => setZone(event.currentTarget.value)}
        >
          {zones.map((name) => (
            <option key={name} value={name}>
              {name.replaceAll("_", " ")}
            </option>
          ))}
        </select>
      </Field>
      <div class="form-foot">
        <button type="submit" class="primary" disabled={act.busy || zone === settings.timezone}>
          Save time zone
        </button>
        <Outcome act={act} />
      </div>
    </form>
  );
}

/** What time it is there; nothing where the browser does not know the zone. */
function clock(zone: string): string {
  try {
    const time = new Intl.DateTimeFormat(undefined, { timeStyle: "short", timeZone: zone });
    return `It is ${time.format(new Date())} there now.`;
  } catch {
    return "";
  }
}
