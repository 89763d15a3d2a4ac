/** A site's figures for whoever has the link, perhaps after a password, perhaps inside another page. */
import { useEffect, useState } from "preact/hooks";
import { Failed } from "../parts/failed";
import { GUEST } from "../session";
import { Dashboard } from "../view/dashboard";
import { Mark } from "../view/icons";
import { type Opened, openLink } from "./open-link";
import { PasswordGate } from "./password-gate";
import "../sign-in/sign-in.css";

interface Props {
  site: string;
  slug: string | null;
  embed: boolean;
  /** The appearance that the address asks for: that of the page around the frame. */
  theme: "light" | "dark" | null;
}

export function Shared({ site, slug, embed, theme }: Props) {
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
    if (theme) document.documentElement.dataset.theme = theme;
  }, [theme]);
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
    case "unknown":
      return (
        <main class="gate" id="content" tabIndex={-1}>
          <section class="surface gate-form">
            <p class="gate-brand">
              <Mark />
              <span>Weir</span>
            </p>
            <h1>This link does not open anything</h1>
            <p>It may have been taken back, or is not complete. Ask whoever sent it for a new one.</p>
          </section>
        </main>
      );
    default:
      return (
        <main id="content" class="page" tabIndex={-1} aria-busy={!opened}>
          {opened?.state === "failed" && (
            <section class="surface">
              <Failed error={opened.error} onRetry={again} />
            </section>
          )}
        </main>
      );
  }
}
