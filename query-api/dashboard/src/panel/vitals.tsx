/** How fast pages were for those who opened them. Asked only when it comes into view. */
import { useEffect, useRef, useState } from "preact/hooks";
import { type Loaded, useQuery } from "../api/use-query";
import { count, percent } from "../format";
import { panelOf, tabOf } from "../report/panels";
import { vitalQuery } from "../report/queries";
import { type Measured, measure, type Verdict, VITALS, type Vital } from "../report/vitals";
import { Problem } from "../view/problem";
import { Skeleton } from "./list";
import { PanelFrame, type PanelProps } from "./panel";
import { Tools } from "./tools";

const WORDS: Record<Verdict, string> = { good: "good", fair: "needs work", poor: "poor" };

export function Vitals(props: PanelProps) {
  const panel = panelOf("vitals");
  const box = useRef<HTMLDivElement>(null);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const element = box.current;
    if (!element || seen) return;
    const observer = new IntersectionObserver(
      (entries) => entries.some((entry) => entry.isIntersecting) && setSeen(true),
      { rootMargin: "200px" },
    );
    observer.observe(element);
    return () => observer.disconnect();
  }, [seen]);
  const answers = VITALS.map((vital) => ({
    vital,
    // The list of vitals never changes, so neither does the order of these hooks.
    loaded: useQuery(
      props.client,
      seen ? vitalQuery(props.view, vital.name) : null,
      null,
      props.generation,
      props.onMeta,
    ),
  }));
  return (
    <PanelFrame panel={panel} tab={tabOf(panel, null)} onTab={() => {}}>
      <div ref={box} class="list">
        <Body {...props} answers={answers} />
        <Tools
          more={false}
          subject="Web vitals"
          onApi={() => props.onApi("Web vitals: LCP", vitalQuery(props.view, "LCP"))}
        />
      </div>
    </PanelFrame>
  );
}

function Body({ answers, onRetry }: PanelProps & { answers: { vital: Vital; loaded: Loaded<null> }[] }) {
  const failed = answers.find(({ loaded }) => loaded.error && !loaded.current)?.loaded.error;
  if (failed) return <Problem error={failed} onRetry={onRetry} />;
  if (!answers.every(({ loaded }) => loaded.answer)) return <Skeleton />;
  const measured = answers.map(({ vital, loaded }) => ({
    vital,
    found: measure(loaded.answer?.results ?? [], vital),
  }));
  if (measured.every(({ found }) => found === null)) {
    return <p class="empty">Nothing measured. The script measures page loads with “web-vitals”.</p>;
  }
  return (
    <dl class={answers.every(({ loaded }) => loaded.current) ? "vitals" : "vitals stale"}>
      {measured.map(({ vital, found }) => (
        <div key={vital.name} class="vital">
          <dt>
            {vital.label} <abbr title={vital.meaning}>{vital.name}</abbr>
          </dt>
          <dd>
            {found ? <Line vital={vital} found={found} /> : <span class="vital-none">not measured</span>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function Line({ vital, found }: { vital: Vital; found: Measured }) {
  const { good, fair, poor } = found.shares;
  return (
    <>
      <span class="vital-value">{valueText(found.value, vital.unit)}</span>
      <span class={`vital-verdict vital-${found.verdict}`}>{WORDS[found.verdict]}</span>
      <span
        class="vital-bar"
        role="img"
        aria-label={`${percent(good * 100)} good, ${percent(fair * 100)} need work, ${percent(poor * 100)} poor, of ${count(found.count)} page loads`}
      >
        <span class="vital-part vital-part-good" style={{ flexGrow: good }} />
        <span class="vital-part vital-part-fair" style={{ flexGrow: fair }} />
        <span class="vital-part vital-part-poor" style={{ flexGrow: poor }} />
      </span>
    </>
  );
}

function valueText(value: number, unit: Vital["unit"]): string {
  if (unit === "score") return new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 }).format(value);
  const seconds = value >= 1_000;
  return new Intl.NumberFormat(undefined, {
    style: "unit",
    unit: seconds ? "second" : "millisecond",
    unitDisplay: "narrow",
    maximumFractionDigits: seconds ? 1 : 0,
  }).format(seconds ? value / 1_000 : value);
}
