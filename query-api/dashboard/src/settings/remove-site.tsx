/** Ends a site, after its name was typed. */
import { useState } from "preact/hooks";
import { Confirm } from "../parts/confirm";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { go } from "../router/navigate";
import type { PartProps } from "./part-list";

export function RemoveSite({ api, settings, onChanged }: PartProps) {
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
