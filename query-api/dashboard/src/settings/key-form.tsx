/** Makes a key, and shows it this once. */
import { useState } from "preact/hooks";
import { Copy } from "../parts/copy";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import type { SiteApi } from "./api";
import { scopeHint, scopeLabel } from "./scopes";

interface Props {
  api: SiteApi;
  /** Scopes that the reader may give. */
  grantable: string[];
  onMade: () => void;
}

export function KeyForm({ api, grantable, onMade }: Props) {
  const act = useAct();
  const [made, setMade] = useState<string | null>(null);
  const [scopes, setScopes] = useState<string[]>(["stats:read"]);
  const submit = (event: Event) => {
    event.preventDefault();
    if (scopes.length === 0) return act.refuse("Choose what the key may do.");
    act.run(async () => {
      setMade((await api.addKey(scopes)).key);
      onMade();
      return null;
    });
  };
  if (made !== null) {
    return (
      <div class="form-inset form" role="status">
        <p>
          <strong>The new key.</strong> Copy it now: it is not shown again.
        </p>
        <Copy text={made} what="the key" inline />
        <div>
          <button type="button" class="button" onClick={() => setMade(null)}>
            I have it
          </button>
        </div>
      </div>
    );
  }
  return (
    <form class="form form-inset" onSubmit={submit}>
      <fieldset>
        <legend class="form-legend">A new key for {api.domain} may</legend>
        {grantable.map((scope) => (
          <label key={scope} class="option">
            <input
              type="checkbox"
              checked={scopes.includes(scope)}
              onChange={(event) =>
                setScopes(
                  event.currentTarget.checked ? [...scopes, scope] : scopes.filter((one) => one !== scope),
                )
              }
            />
            <span>
              <strong>{scopeLabel(scope)}</strong>
              <small>{scopeHint(scope)}</small>
            </span>
          </label>
        ))}
      </fieldset>
      <div class="form-foot">
        <button type="submit" class="primary" disabled={act.busy}>
          Make the key
        </button>
        <Outcome act={act} />
      </div>
    </form>
  );
}
