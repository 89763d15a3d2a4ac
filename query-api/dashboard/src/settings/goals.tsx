/** What visitors are meant to do. */
import { useState } from "preact/hooks";
import { Loaded } from "../parts/loaded";
import { Outcome } from "../parts/outcome";
import { useAct } from "../parts/use-act";
import { useResource } from "../parts/use-resource";
import { Cross } from "../view/icons";
import type { Goal } from "./api";
import { GoalForm } from "./goal-form";
import { reachedBy } from "./goal-words";
import type { PartProps } from "./part-list";
import { OnlyReading, Section } from "./section";

export function Goals({ api, mayChange }: PartProps) {
  const goals = useResource(api.domain, (signal) => api.goals(signal));
  const act = useAct();
  const [adding, setAdding] = useState(false);
  const remove = (goal: Goal) =>
    act.run(async () => {
      await api.removeGoal(goal.id);
      goals.put((goals.value ?? []).filter((one) => one.id !== goal.id));
      return `${goal.display_name} is no goal any more. No event was lost: the same goal brings its figures back.`;
    });
  return (
    <Section
      title="Goals"
      lead="What visitors are meant to do. A goal holds for the past too: figures are counted when they are asked for."
    >
      <Loaded of={goals}>
        {(list) => (
          <>
            {list.length === 0 ? (
              <p class="none-yet">No goals yet. A goal can be an event, a page, or how far a page is read.</p>
            ) : (
              <ul class="rows">
                {list.map((goal) => (
                  <li key={goal.id} class="rows-row">
                    <div class="rows-text">
                      <strong>{goal.display_name}</strong>
                      <span class="soft">{reachedBy(goal)}</span>
                    </div>
                    {goal.currency && <span class="badge">revenue in {goal.currency}</span>}
                    {mayChange && (
                      <button
                        type="button"
                        class="button button-icon rows-remove"
                        disabled={act.busy}
                        onClick={() => remove(goal)}
                      >
                        <Cross />
                        <span class="hidden">Remove {goal.display_name}</span>
                      </button>
                    )}
                  </li>
                ))}
              </ul>
            )}
            <Outcome act={act} />
            {!mayChange ? (
              <OnlyReading />
            ) : adding ? (
              <GoalForm
                api={api}
                onAdded={(goal) => {
                  goals.put([goal, ...list.filter((one) => one.id !== goal.id)]);
                  setAdding(false);
                }}
                onCancel={() => setAdding(false)}
              />
            ) : (
              <div>
                <button type="button" class="primary" onClick={() => setAdding(true)}>
                  Add a goal
                </button>
              </div>
            )}
          </>
        )}
      </Loaded>
    </Section>
  );
}
