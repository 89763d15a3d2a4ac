/** A room whose code is fetched when it is entered. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { Failed } from "../parts/failed";

/** Makes a component out of one that has to be fetched; fetched once, tried again when that fails. */
export function lazy<Props extends object>(fetch: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let fetched: ComponentType<Props> | null = null;
  return function Lazy(props: Props) {
    const [, arrived] = useState(0);
    const [error, setError] = useState<ApiError | null>(null);
    const [attempt, setAttempt] = useState(0);
    // Every attempt fetches again.
    useEffect(() => {
      if (fetched) return;
      let left = false;
      fetch().then(
        (component) => {
          fetched = component;
          if (!left) arrived((number) => number + 1);
        },
        () => {
          if (!left) setError(new ApiError(0, "This part of the page could not be fetched."));
        },
      );
      return () => {
        left = true;
      };
    }, [attempt]);
    if (fetched) {
      const Component = fetched;
      return <Component {...props} />;
    }
    return (
      <main id="content" class="page" tabIndex={-1} aria-busy={error === null}>
        {error ? (
          <section class="surface">
            <Failed
              error={error}
              onRetry={() => {
                setError(null);
                setAttempt((number) => number + 1);
              }}
            />
          </section>
        ) : (
          <p class="hidden" role="status">
            Loading
          </p>
        )}
      </main>
    );
  };
}
