/** Making history anew: plan, build aside, compare, serve, and back. */
import { useEffect, useState } from "preact/hooks";
import { Confirm } from "../parts/confirm";
import { Loaded } from "../parts/loaded";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { useResource } from "../parts/use-resource";
import type { Action, Diff, OperatorApi, Plan, Replay } from "./api";
import { DiffView } from "./diff-view";
import { PlanForm } from "./plan-form";
import { PlanView } from "./plan-view";
import { Progress } from "./progress";
import { doing, QUESTIONS, type Question, stepOf, underWay } from "./replay-words";
import { Step } from "./step";

const WORKING_MS = 1_000;
const RESTING_MS = 5_000;

export function ReplayPart({ api }: { api: OperatorApi }) {
  const [working, setWorking] = useState(false);
  const replay = useResource("replay", (signal) => api.replay(signal), working ? WORKING_MS : RESTING_MS);
  const isRunning = replay.value?.work?.state === "running";
  useEffect(() => setWorking(isRunning), [isRunning]);
  return (
    <>
      <p class="frame-lead replay-lead">
        When the rules were wrong, history is made anew from the stream: aside, beside what is served. What is
        served changes only at the last step, and goes back as quickly.
      </p>
      <Loaded of={replay}>{(value) => <Steps api={api} replay={value} onReload={replay.reload} />}</Loaded>
    </>
  );
}

function Steps({ api, replay, onReload }: { api: OperatorApi; replay: Replay; onReload: () => void }) {
  const act = useAct();
  const [asked, setAsked] = useState<Question | null>(null);
  const [plan, setPlan] = useState<Plan | null>(null);
  const [diff, setDiff] = useState<Diff | null>(null);
  const { can, work } = replay;
  const status = underWay(replay);
  const ended = work?.ended ?? null;
  // What a finished work found is kept: the next work takes its place on the server.
  useEffect(() => {
    if (work?.state !== "done") return;
    if (work.action === "plan") setPlan(work.result as Plan);
    if (work.action === "diff") setDiff(work.result as Diff);
    if (work.action === "discard" || work.action === "run") setDiff(null);
  }, [work?.action, work?.state, ended]);

  const running = work?.state === "running" ? work.action : null;
  const start = async (action: Action, body: Record<string, unknown> = {}) => {
    if (action === "plan") setPlan(null);
    await act.run(async () => {
      const { state } = await api.act(action, body);
      onReload();
      return action === "flush" && state === "done" ? "Everything received so far is in files." : null;
    });
    setAsked(null);
  };
  const may = (action: Action) => can.includes(action) && running === null && !act.busy;
  const current = stepOf(replay);
  const kind = (step: number) => (step === current ? "primary" : "button");
  const failed = work?.state === "failed" ? work : null;
  const stop = (
    <button type="button" class="button" onClick={() => start("stop")}>
      Stop
    </button>
  );
  const isPromoted = status?.phase === "promoted";
  return (
    <>
      <p class="hidden" role="status">
        {running && doing(running)}
      </p>
      <Outcome act={act} />
      {failed && (
        <p class="verdict verdict-bad" role="alert">
          <span class="dot dot-bad" aria-hidden="true" />
          <span>
            {doing(failed.action)} failed: {failed.error}
          </span>
        </p>
      )}
      <ol class="steps">
        <Step number={1} title="Plan" current={current === 1} lead="From where on, and by which rules.">
          <PlanForm
            api={api}
            busy={running === "plan"}
            disabled={!may("plan")}
            inProgress={status !== null && !can.includes("plan")}
            onPlan={(body) => start("plan", body)}
            onSeal={() => start("flush")}
          />
          {running === "plan" && <div class="form-foot">{stop}</div>}
          {plan && <PlanView plan={plan} />}
        </Step>
        <Step
          number={2}
          title="Build"
          current={current === 2}
          lead="The stream is folded again into files of its own. Nothing that is served changes."
        >
          {status && <Progress status={status} />}
          <div class="form-foot">
            <button
              type="button"
              class={kind(2)}
              disabled={!may("run") || (status === null && plan === null)}
              onClick={() => start("run")}
            >
              {running === "run" ? "Building…" : status ? "Go on building" : "Build"}
            </button>
            {running === "run" && stop}
            {status && !isPromoted && (
              <button
                type="button"
                class="button grave-link"
                disabled={!may("discard")}
                onClick={() => setAsked("discard")}
              >
                Discard…
              </button>
            )}
          </div>
        </Step>
        <Step
          number={3}
          title="Compare"
          current={current === 3}
          lead="What would come out otherwise, figure by figure."
        >
          <div class="form-foot">
            <button
              type="button"
              class={kind(3)}
              disabled={!may("diff")}
              onClick={() => start("diff", { limit: 20 })}
            >
              {running === "diff" ? "Comparing…" : diff ? "Compare again" : "Compare"}
            </button>
            {running === "diff" && stop}
            {status && !isPromoted && (
              <a class="button" href="/?rev=shadow">
                See the page with the new figures
              </a>
            )}
          </div>
          {diff && <DiffView diff={diff} />}
        </Step>
        <Step
          number={4}
          title="Serve"
          current={current === 4}
          lead="The new history takes the place of the former in one step; the former is kept for a week."
        >
          <div class="form-foot">
            <button
              type="button"
              class={kind(4)}
              disabled={!may("promote")}
              onClick={() => setAsked("promote")}
            >
              {running === "promote" ? "Switching…" : isPromoted ? "It is served" : "Serve it…"}
            </button>
            <button
              type="button"
              class="button"
              disabled={!may("rollback")}
              onClick={() => setAsked("rollback")}
            >
              {running === "rollback" ? "Going back…" : "Go back…"}
            </button>
            {isPromoted && (
              <button
                type="button"
                class="button grave-link"
                disabled={!may("discard")}
                onClick={() => setAsked("keep")}
              >
                Give up the way back…
              </button>
            )}
          </div>
        </Step>
      </ol>
      {asked && status && (
        <Confirm
          title={QUESTIONS[asked].title}
          act={QUESTIONS[asked].act}
          grave={QUESTIONS[asked].grave}
          busy={act.busy}
          onConfirm={() => start(QUESTIONS[asked].action, { replay_id: status.id })}
          onClose={() => setAsked(null)}
        >
          <p>{QUESTIONS[asked].text}</p>
        </Confirm>
      )}
    </>
  );
}
