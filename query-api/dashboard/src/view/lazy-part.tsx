/** A part of the page whose code is fetched when it is first shown. */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ApiError } from "../api/client";
import { Problem } from "./problem";

/** Makes a component out of one that has to be fetched; shows `Meanwhile`, or nothing, until it is there. */
export function lazyPart<Props extends object>(
  fetch: () => Promise<ComponentType<Props>>,
  Meanwhile: ComponentType = () => null,
): ComponentType<Props> {
  let fetched: ComponentType<Props> | null = null;
  return function Part(props: Props) {
    const [, arrived] = useState(0);
    const [attempt, setAttempt] = useState(0);
    const [failed, setFailed] = useState(false);
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
          if (!left) setFailed(true);
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
    if (!failed) return <Meanwhile />;
    return (
      <Problem
        error={new ApiError(0, "This part of the page could not be fetched.")}
        onRetry={() => {
          setFailed(false);
          setAttempt((number) => number + 1);
        }}
      />
    );
  };
}
