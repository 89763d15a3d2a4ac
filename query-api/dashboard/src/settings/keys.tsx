/** The keys that reach a site. */
import { useState } from "preact/hooks";
import { Confirm } from "../parts/confirm";
import { Loaded } from "../parts/loaded";
import { dayOf } from "../parts/moment";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { useResource } from "../parts/use-resource";
import type { KeyRow } from "./api";
import { KeyForm } from "./key-form";
import type { PartProps } from "./part-list";
import { scopeLabel } from "./scopes";
import { Section } from "./section";

export function Keys({ mayChange, ...props }: PartProps) {
  if (!mayChange) {
    return (
      <Section title="Keys">
        <p class="soft">Your key may not see or make others.</p>
      </Section>
    );
  }
  return <List {...props} />;
}

function List({ api, settings }: Omit<PartProps, "mayChange">) {
  const keys = useResource(api.domain, (signal) => api.keys(signal));
  const act = useAct();
  const [asked, setAsked] = useState<KeyRow | null>(null);
  const revoke = async (key: KeyRow) => {
    await act.run(async () => {
      await api.revokeKey(key.id);
      keys.reload();
      return `Key ${key.id} is revoked; sessions that it opened are over.`;
    });
    setAsked(null);
  };
  return (
    <Section
      title="Keys"
      lead={`For programs and people that reach ${settings.domain}. A key is shown once, when it is made.`}
    >
      <Loaded of={keys}>
        {({ keys: list, grantable }) => (
          <>
            {list.length === 0 ? (
              <p class="none-yet">No key reaches this site but the operator's.</p>
            ) : (
              <ul class="rows">
                {list.map((key) => (
                  <li key={key.id} class="rows-row">
                    <div class="rows-text">
                      <strong>
                        <code>{key.id}</code>
                        {key.is_own && <span class="badge badge-own">yours</span>}
                      </strong>
                      <span class="soft">
                        {key.scopes.map(scopeLabel).join(", ")} · {reach(key)} · made{" "}
                        {dayOf(key.created, settings.timezone)}
                      </span>
                    </div>
                    {key.revocable && (
                      <button type="button" class="button grave-link" onClick={() => setAsked(key)}>
                        Revoke<span class="hidden"> {key.id}</span>
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            )}
            <Outcome act={act} />
            <KeyForm api={api} grantable={grantable} onMade={keys.reload} />
          </>
        )}
      </Loaded>
      {asked && (
        <Confirm
          title={`Revoke key ${asked.id}?`}
          act="Revoke the key"
          grave
          busy={act.busy}
          onConfirm={() => revoke(asked)}
          onClose={() => setAsked(null)}
        >
          <p>Whatever uses it is refused from now on. A revoked key does not come back.</p>
          {asked.is_own && <p>It is the key that you signed in with: your session ends too.</p>}
        </Confirm>
      )}
    </Section>
  );
}

function reach(key: KeyRow): string {
  if (key.account !== null && key.sites.length === 0) return "all sites of the account";
  return key.sites.length === 1 ? "this site alone" : `${key.sites.length} sites`;
}
