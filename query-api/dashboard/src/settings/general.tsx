/** Domain, time zone, and the end of a site. */
import { useState } from "preact/hooks";
import { Confirm } from "../parts/confirm";
import { Field } from "../parts/field";
import { dayOf } from "../parts/moment";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { go } from "../router/navigate";
import { settingsAddress } from "../router/route";
import { wallClock } from "../state/zone";
import { Limits } from "./limits";
import type { PartProps } from "./part-list";
import { OnlyReading, Section } from "./section";

export function General(props: PartProps) {
  const { settings, mayChange } = props;
  return (
    <>
      <Section
        title="Time zone"
        lead="The days and hours of every figure are this zone's. A change holds for the past too."
      >
        {mayChange ? <Zone {...props} /> : <p>{settings.timezone.replaceAll("_", " ")}</p>}
        {!mayChange && <OnlyReading />}
      </Section>
      {mayChange && (
        <Section
          title="Domain"
          lead={`Measured since ${dayOf(settings.created, settings.timezone)}. Events under the former domain go on being taken, and for three days nobody else can have it.`}
        >
          <Domain {...props} />
        </Section>
      )}
      {mayChange && (
        <Section
          title="Limits"
          lead="Against floods. An edge refuses what is more than this in a second; browsers keep what was refused and send it again."
        >
          <Limits {...props} />
        </Section>
      )}
      {mayChange && (
        <Section
          title="Remove the site"
          grave
          lead="Its events are no longer taken and its figures no longer shown."
        >
          <Remove {...props} />
        </Section>
      )}
    </>
  );
}

function Zone({ api, settings, onSettings, onChanged }: PartProps) {
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
      <Field id="zone" label="Time zone" hint={`It is ${clock(zone)} there now.`}>
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

function clock(zone: string): string {
  try {
    wallClock(Date.now(), zone);
    return new Intl.DateTimeFormat(undefined, { timeStyle: "short", timeZone: zone }).format(new Date());
  } catch {
    return "unknown which time it";
  }
}

function Domain({ api, settings, onChanged }: PartProps) {
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

function Remove({ api, settings, onChanged }: PartProps) {
  const act = useAct();
  const [asked, setAsked] = useState(false);
  const remove = async () => {
    const done = await act.run(async () => {
      await api.remove();
      return null;
    });
    setAsked(false);
    if (done) {
      onChanged();
      go("/sites");
    }
  };
  return (
    <div class="form-foot">
      <button type="button" class="button grave-link" onClick={() => setAsked(true)}>
        Remove {settings.domain}…
      </button>
      <Outcome act={act} />
      {asked && (
        <Confirm
          title={`Remove ${settings.domain}?`}
          act="Remove the site"
          grave
          typed={settings.domain}
          busy={act.busy}
          onConfirm={remove}
          onClose={() => setAsked(false)}
        >
          <p>Events of this domain are refused from now on. Its goals, links and settings are gone.</p>
        </Confirm>
      )}
    </div>
  );
}
