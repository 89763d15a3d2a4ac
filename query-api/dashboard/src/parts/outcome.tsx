/** Says how an act ended, to the eye and to a screen reader. */
import type { Act } from "./use-act";

export function Outcome({ act }: { act: Act }) {
  return (
    <>
      <p class="outcome outcome-bad" role="alert">
        {act.problem}
      </p>
      <p class="outcome outcome-good" role="status">
        {act.done}
      </p>
    </>
  );
}
