/** The bar and the column that every room but the main view stands in. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import type { Who } from "../session";
import { Leave, Mark } from "../view/icons";
import { Link } from "./link";
import { type Route, viewAddress } from "./route";
import "./frame.css";

interface Props {
  /** Null while it is not known. */
  who: Who | null;
  room: Route["name"];
  onLeave: () => void;
  busy?: boolean;
  /** The site whose figures the way back leads to. */
  site?: string;
  /** Names the room in the title of the document. */
  title?: string;
  children: ComponentChildren;
}

export function Frame({ who, room, onLeave, busy, site, title, children }: Props) {
  const figures = site === undefined ? "/" : viewAddress(site);
  const main = useRef<HTMLElement>(null);
  useEffect(() => {
    if (title) document.title = `${title} · Weir`;
  }, [title]);
  // Whoever comes by a link inside the page begins at the new room, not where the link was.
  useEffect(() => {
    if (title && document.activeElement === document.body) main.current?.focus({ preventScroll: true });
  }, [title]);
  return (
    <>
      <header class="frame-bar">
        <div class="frame-row">
          <Link href={figures} class="frame-mark" title="Figures">
            <Mark />
            <span class="hidden">Weir</span>
          </Link>
          <nav class="frame-nav nav-links" aria-label="Rooms">
            <Link href={figures} current={room === "view"}>
              Figures
            </Link>
            <Link href="/sites" current={room === "sites"}>
              Sites
            </Link>
            {room === "settings" && (
              <Link href={location.pathname + location.search} current>
                Settings
              </Link>
            )}
            {who?.operator && (
              <Link href="/operator" current={room === "operator"}>
                Operations
              </Link>
            )}
          </nav>
          <button type="button" class="button button-icon frame-leave" onClick={onLeave} title="Sign out">
            <Leave />
            <span class="hidden">Sign out</span>
          </button>
        </div>
      </header>
      <main id="content" class="frame-main" tabIndex={-1} ref={main} aria-busy={busy ?? false}>
        {children}
      </main>
    </>
  );
}
