/** How far behind answers were, over the last looks. */
import { useEffect, useState } from "preact/hooks";
import { lag } from "../parts/moment";
import { sparkline } from "../parts/sparkline";

/** Looks that are drawn. */
const KEPT = 60;
const WIDTH = 240;
const HEIGHT = 34;

interface Props {
  /** Null where it is unknown. */
  lagMs: number | null;
  /** When it was looked. */
  at: number;
}

/** Keeps what it was told while it is on the page: the server keeps none of it. */
export function LagLine({ lagMs, at }: Props) {
  const [kept, setKept] = useState<number[]>([]);
  useEffect(() => {
    if (lagMs !== null) setKept((before) => [...before, Math.max(0, lagMs)].slice(-KEPT));
  }, [at]);
  const shape = sparkline(kept.length === 1 ? [...kept, ...kept] : kept, WIDTH, HEIGHT);
  if (!shape) return <div class="lag-line" />;
  return (
    <figure class="lag-line">
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" aria-hidden="true">
        <path class="spark-area" d={shape.area} />
        <path class="spark-line" d={shape.line} />
      </svg>
      <figcaption>Behind since you look, at most {lag(Math.max(...kept))}</figcaption>
    </figure>
  );
}
