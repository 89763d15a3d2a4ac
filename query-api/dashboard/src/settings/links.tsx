/** Addresses that show the figures to whoever has them. */
import { useState } from "preact/hooks";
import { Confirm } from "../parts/confirm";
import { Copy } from "../parts/copy";
import { Loaded } from "../parts/loaded";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { useResource } from "../parts/use-resource";
import type { SharedLink } from "./api";
import { embedCode } from "./embed";
import { LinkForm } from "./link-form";
import type { PartProps } from "./part-list";
import { Section } from "./section";

export function Links({ mayChange, ...props }: PartProps) {
  if (!mayChange) {
    return (
      <Section title="Shared links">
        <p class="soft">Your key may not see or make links.</p>
      </Section>
    );
  }
  return <List {...props} />;
}

function List({ api }: Omit<PartProps, "mayChange">) {
  const links = useResource(api.domain, (signal) => api.links(signal));
  const act = useAct();
  const [asked, setAsked] = useState<SharedLink | null>(null);
  const remove = async (link: SharedLink) => {
    await act.run(async () => {
      await api.removeLink(link.id);
      links.reload();
      return `${link.name} opens nothing any more.`;
    });
    setAsked(null);
  };
  return (
    <Section
      title="Shared links"
      lead="Whoever has such a link reads the figures and changes nothing. With a password, the link alone is not enough."
    >
      <Loaded of={links}>
        {(list) => (
          <>
            {list.length === 0 ? (
              <p class="none-yet">No links yet: nobody without a key reads these figures.</p>
            ) : (
              <ul class="cards-list">
                {list.map((link) => (
                  <li key={link.id} class="link-card">
                    <div class="link-head">
                      <h3>{link.name}</h3>
                      <span class="badge">
                        {link.password_protected ? "with password" : "open to all who have it"}
                      </span>
                      <button type="button" class="button grave-link" onClick={() => setAsked(link)}>
                        Take back<span class="hidden"> {link.name}</span>
                      </button>
                    </div>
                    <Copy text={link.url} what={`the link ${link.name}`} inline />
                    <details class="embed">
                      <summary>Show it inside another page</summary>
                      <Copy text={embedCode(link.url, api.domain)} what={`the frame of ${link.name}`} />
                    </details>
                  </li>
                ))}
              </ul>
            )}
            <Outcome act={act} />
            <LinkForm api={api} onMade={links.reload} />
          </>
        )}
      </Loaded>
      {asked && (
        <Confirm
          title={`Take back ${asked.name}?`}
          act="Take the link back"
          grave
          busy={act.busy}
          onConfirm={() => remove(asked)}
          onClose={() => setAsked(null)}
        >
          <p>Whoever reads by it now reads no more, and pages that embed it show nothing.</p>
        </Confirm>
      )}
    </Section>
  );
}
