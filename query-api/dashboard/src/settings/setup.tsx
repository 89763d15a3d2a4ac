/** The line to paste, and a watch for the first event that it brings. */
import { useState } from "preact/hooks";
import { count } from "../format";
import { Copy } from "../parts/copy";
import { ago, moment } from "../parts/moment";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { useResource } from "../parts/use-resource";
import { snippet } from "../report/snippet";
import { Link } from "../router/link";
import { viewAddress } from "../router/route";
import type { ScriptSwitches, SiteSettings } from "./api";
import type { PartProps } from "./part-list";
import { OnlyReading, Section } from "./section";

/** How often is looked for events. */
const LOOK_EVERY_MS = 2_000;

const SWITCHES: { name: keyof ScriptSwitches; label: string; hint: string }[] = [
  { name: "outbound_links", label: "Outbound links", hint: "Clicks that lead to other sites." },
  { name: "file_downloads", label: "File downloads", hint: "Clicks on PDF, ZIP and other files." },
  { name: "form_submissions", label: "Forms", hint: "Forms that are sent off." },
  { name: "hash_routing", label: "Routing by hash", hint: "Pages are told apart by what follows the #." },
  { name: "web_vitals", label: "Web vitals", hint: "How fast pages load and react for visitors." },
  {
    name: "respect_gpc",
    label: "Global Privacy Control",
    hint: "Browsers that ask not to be measured are not.",
  },
];

export function Setup(props: PartProps) {
  const { settings } = props;
  return (
    <>
      <Section
        title="Paste this into your pages"
        lead={
          <>
            Into the <code>&lt;head&gt;</code> of every page. It measures page views, and how long and how far
            pages are read.
          </>
        }
      >
        <Lines settings={settings} />
        <Watch {...props} />
      </Section>
      <Switches {...props} />
    </>
  );
}

function Lines({ settings }: { settings: SiteSettings }) {
  const [classic, setClassic] = useState(false);
  const site = { domain: settings.domain, timezone: settings.timezone };
  const older = settings.classic_snippet ?? snippet(site, location);
  if (settings.snippet === null) {
    return (
      <>
        <Copy text={older} what="the line" />
        <p class="form-hint">Change the address if your Weir collects events elsewhere.</p>
      </>
    );
  }
  return (
    <>
      {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a form around buttons. */}
      <div class="tabs" role="group" aria-label="Form of the snippet">
        <button type="button" aria-pressed={!classic} onClick={() => setClassic(false)}>
          With the switches below
        </button>
        <button type="button" aria-pressed={classic} onClick={() => setClassic(true)}>
          One classic line
        </button>
      </div>
      <Copy text={classic ? older : settings.snippet} what="the snippet" />
    </>
  );
}

/** Looks for events until the reader leaves: waiting, then the first one, then the latest. */
function Watch({ api, settings }: PartProps) {
  const watched = useResource(settings.domain, (signal) => api.settings(signal), LOOK_EVERY_MS);
  const { total, last } = (watched.value ?? settings).events;
  if (total === 0) {
    return (
      <div class="watch" role="status">
        <span class="dot dot-waiting" aria-hidden="true" />
        <p>
          <strong>Waiting for the first event</strong>
          <span class="watch-more">
            Paste the snippet, then open one of your pages. This changes by itself.
          </span>
        </p>
      </div>
    );
  }
  const isFirst = settings.events.total === 0;
  return (
    <div class="watch watch-good">
      <span class="dot dot-good" aria-hidden="true" />
      <p>
        <strong role="status">{isFirst ? "The first event has arrived" : "Events arrive"}</strong>
        <span class="watch-more">
          {count(total)} so far
          {last && (
            <>
              , the latest{" "}
              <time dateTime={last} title={moment(last, settings.timezone)}>
                {ago(Date.now() - Date.parse(last))}
              </time>
            </>
          )}
          . <Link href={viewAddress(settings.domain)}>See the figures</Link>
        </span>
      </p>
    </div>
  );
}

function Switches({ api, settings, mayChange, onSettings }: PartProps) {
  const act = useAct();
  // Shown as wanted until the server has said how it is.
  const [wanted, setWanted] = useState<Partial<ScriptSwitches>>({});
  const set = async (name: keyof ScriptSwitches, label: string, value: boolean) => {
    setWanted({ [name]: value });
    await act.run(async () => {
      onSettings(await api.change({ script: { [name]: value } }));
      return `${label}: ${value ? "measured" : "not measured"} from now on.`;
    });
    setWanted({});
  };
  return (
    <Section
      title="What the snippet measures"
      lead="Browsers follow when they fetch the script again, after an hour at most as a rule; nothing has to be pasted anew."
    >
      {!mayChange && <OnlyReading />}
      <form class="form" onSubmit={(event) => event.preventDefault()}>
        <fieldset class="switches" disabled={!mayChange}>
          <legend class="hidden">What the snippet measures</legend>
          {SWITCHES.map(({ name, label, hint }) => (
            <label key={name} class="option">
              <input
                type="checkbox"
                checked={wanted[name] ?? settings.script[name]}
                onChange={(event) => set(name, label, event.currentTarget.checked)}
              />
              <span>
                <strong>{label}</strong>
                <small>{hint}</small>
              </span>
            </label>
          ))}
        </fieldset>
        <Outcome act={act} />
      </form>
    </Section>
  );
}
