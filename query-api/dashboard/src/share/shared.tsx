/** A site's figures for whoever has the link, perhaps after a password, perhaps inside another page. */
import { useEffect, useState } from "preact/hooks";
import { GUEST } from "../session";
import { Dashboard } from "../view/dashboard";
import { Problem } from "../view/problem";
import { type Opened, openLink } from "./open-link";
import { PasswordGate } from "./password-gate";

interface Props {
  site: string;
  slug: string | null;
  embed: boolean;
}

export function Shared({ site, slug, embed }: Props) {
  const [opened, setOpened] = useState<Opened | null>(slug === null ? { state: "unknown" } : null);
  const [attempt, setAttempt] = useState(0);
  const again = () => setAttempt((number) => number + 1);
  const open = async (password: string | null) => {
    if (slug !== null) setOpened(await openLink(slug, password, embed, again, site));
  };
  // Every attempt asks again.
  useEffect(() => {
    open(null);
  }, [attempt]);
  useEffect(() => {
    document.title = `${site} · Weir`;
  }, [site]);

  switch (opened?.state) {
    case "open":
      return (
        <Dashboard client={opened.client} sites={[opened.site]} who={GUEST} embed={embed} onLeave={null} />
      );
    case "password":
      return <PasswordGate site={site} wrong={opened.wrong} onPassword={open} />;
    default:
      return (
        <main id="content" class="page" tabIndex={-1} aria-busy={!opened}>
          {opened?.state === "failed" && (
            <section class="surface">
              <Problem error={opened.error} onRetry={again} />
            </section>
          )}
          {opened?.state === "unknown" && (
            <section class="surface notice">
              <h1>This link does not open anything</h1>
              <p>It may have been taken back, or is not complete. Ask whoever sent it for a new one.</p>
            </section>
          )}
        </main>
      );
  }
}
