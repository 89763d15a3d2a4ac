/** Shows a resource once it is there; before that, that it is waited for, or why it does not come. */
import type { ComponentChildren } from "preact";
import { Failed } from "./failed";
import type { Resource } from "./use-resource";

interface Props<Value> {
  of: Resource<Value>;
  /** Lines of the waiting picture. */
  lines?: number;
  children: (value: Value) => ComponentChildren;
}

export function Loaded<Value>({ of, lines = 4, children }: Props<Value>) {
  if (of.value !== null) {
    return (
      <>
        {of.error && (
          <p class="stale-note" role="status">
            Not refreshed: {of.error.message} Trying again.
          </p>
        )}
        {children(of.value)}
      </>
    );
  }
  if (of.error) {
    return (
      <div class="loaded-failed">
        <Failed error={of.error} onRetry={of.reload} />
      </div>
    );
  }
  return (
    <div class="loaded-wait" role="status">
      <span class="hidden">Loading</span>
      {Array.from({ length: lines }, (_, line) => (
        <span key={line} class="skeleton loaded-line" />
      ))}
    </div>
  );
}
