/** One site: how many visitors, since when more or less, and who is there now. */
import type { Site } from "../api/types";
import { count, percent } from "../format";
import { sparkline } from "../parts/sparkline";
import { Link } from "../router/link";
import { settingsAddress, viewAddress } from "../router/route";
import { change, type Glance } from "./overview-queries";

const WIDTH = 320;
const HEIGHT = 56;

interface Props {
  site: Site;
  /** Undefined while it is asked for, null where it was refused. */
  glance: Glance | null | undefined;
}

export function SiteCard({ site, glance }: Props) {
  const maySee = site.may?.includes("read_site") ?? false;
  const isEmpty = glance && glance.visitors === 0 && glance.days.every((day) => day === 0);
  return (
    <li class="site-card" aria-busy={glance === undefined}>
      <div class="site-card-head">
        <h2>
          <Link href={viewAddress(site.domain)} class="site-card-link">
            {site.domain}
          </Link>
        </h2>
        {glance && glance.present !== null && glance.present > 0 && (
          <p class="site-card-now">
            <span class="dot dot-live" aria-hidden="true" /> {count(glance.present)} now
          </p>
        )}
      </div>
      {glance === undefined ? (
        <div class="skeleton site-card-wait" />
      ) : glance === null ? (
        <p class="soft site-card-none">Its figures cannot be shown now.</p>
      ) : isEmpty ? (
        <p class="soft site-card-none">
          {glance.present ? "The first visitors are here today." : "Nobody came in these four weeks."}
          {maySee && !glance.present && (
            <>
              {" "}
              <Link href={settingsAddress(site.domain, "setup")} class="site-card-over">
                Check the snippet
              </Link>
            </>
          )}
        </p>
      ) : (
        <>
          <Spark days={glance.days} />
          <p class="site-card-figures">
            <strong>{count(glance.visitors)}</strong> <span class="soft">visitors</span>
            <Delta glance={glance} />
          </p>
        </>
      )}
      {glance && glance.missing.length > 0 && (
        <p class="site-card-missing">Without region {glance.missing.join(", ")}, which does not answer.</p>
      )}
      {maySee && (
        <Link href={settingsAddress(site.domain)} class="site-card-settings site-card-over">
          Settings<span class="hidden"> of {site.domain}</span>
        </Link>
      )}
    </li>
  );
}

function Spark({ days }: { days: number[] }) {
  const shape = sparkline(days, WIDTH, HEIGHT);
  if (!shape) return null;
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
      <path class="spark-area" d={shape.area} />
      <path class="spark-line" d={shape.line} />
    </svg>
  );
}

function Delta({ glance }: { glance: Glance }) {
  const by = change(glance.visitors, glance.before);
  if (by === null) return null;
  const word = by > 0 ? "more" : by < 0 ? "less" : "as before";
  const sign = by > 0 ? "↑" : by < 0 ? "↓" : "→";
  return (
    <span
      class={by < 0 ? "site-delta site-delta-less" : by > 0 ? "site-delta site-delta-more" : "site-delta"}
    >
      <span aria-hidden="true">{sign}</span> {by === 0 ? "" : percent(Math.abs(by) * 100)} {word}
    </span>
  );
}
