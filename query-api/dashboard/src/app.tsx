/** Decides who reads, and leads to the room that the address names. */
import { useLayoutEffect, useMemo, useState } from "preact/hooks";
import { ApiError, Client } from "./api/client";
import type { Site } from "./api/types";
import { Failed } from "./parts/failed";
import { Frame } from "./router/frame";
import { lazy } from "./router/lazy";
import { useRoute } from "./router/navigate";
import { Nowhere } from "./router/nowhere";
import type { Route } from "./router/route";
import { dropKeptKeys, expectsSession, forgetSession, signOut, type Who, whoReads } from "./session";
import { applyTheme, readTheme } from "./state/preferences";
import { Dashboard } from "./view/dashboard";

const SignIn = lazy(() => import("./sign-in/sign-in").then((room) => room.SignIn));
const Sites = lazy(() => import("./sites/sites").then((room) => room.Sites));
const Settings = lazy(() => import("./settings/settings").then((room) => room.Settings));
const Operator = lazy(() => import("./operator/operator").then((room) => room.Operator));
const Shared = lazy(() => import("./share/shared").then((room) => room.Shared));

const OVER = "Your session is over. Sign in again.";

dropKeptKeys();
applyTheme(readTheme());

export function App() {
  const route = useRoute();
  const [signedIn, setSignedIn] = useState(expectsSession);
  const [notice, setNotice] = useState<string | null>(null);
  const over = (reason: string | null) => {
    forgetSession();
    setNotice(reason);
    setSignedIn(false);
  };
  return (
    <>
      <a class="skip" href="#content">
        Skip to the content
      </a>
      {route.name === "share" ? (
        <Shared
          key={`${route.site} ${route.slug}`}
          site={route.site}
          slug={route.slug}
          embed={route.embed}
          theme={route.theme}
        />
      ) : signedIn ? (
        <SignedIn route={route} onOver={over} />
      ) : (
        <SignIn
          notice={notice}
          onSignedIn={() => {
            setNotice(null);
            setSignedIn(true);
          }}
        />
      )}
    </>
  );
}

interface Reader {
  who: Who;
  sites: Site[];
}

/** Asks who reads and what; shows the room once that is known. */
function SignedIn({ route, onOver }: { route: Route; onOver: (reason: string | null) => void }) {
  const [reader, setReader] = useState<Reader | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [attempt, setAttempt] = useState(0);
  const again = () => setAttempt((number) => number + 1);
  const client = useMemo(() => new Client(again), []);
  // Every attempt asks again, before anything is painted; leaving is the same act every time.
  useLayoutEffect(() => {
    const abort = new AbortController();
    Promise.all([whoReads(client, abort.signal), client.sites(abort.signal)]).then(
      ([who, sites]) => {
        if (abort.signal.aborted) return;
        if (who === null) return onOver(OVER);
        setReader({ who, sites });
        setError(null);
      },
      (cause: unknown) => {
        if (abort.signal.aborted) return;
        const problem = cause instanceof ApiError ? cause : new ApiError(0, String(cause));
        if (problem.status === 401) onOver(OVER);
        else setError(problem);
      },
    );
    return () => abort.abort();
  }, [client, attempt]);

  const leave = () => {
    // Without the server the cookie stays until it is over; the page says so by asking for the key again.
    signOut(client).then(
      () => onOver(null),
      () =>
        onOver("You are signed out here, but the server could not be reached. Close the browser to be sure."),
    );
  };
  if (reader === null) {
    return (
      <Frame who={null} room={route.name} onLeave={leave} busy={error === null}>
        {error ? (
          <section class="surface">
            <Failed error={error} onRetry={again} />
          </section>
        ) : (
          <section class="surface wait" aria-label="Loading">
            <div class="chart-skeleton skeleton" />
          </section>
        )}
      </Frame>
    );
  }
  const { who, sites } = reader;
  switch (route.name) {
    case "view":
      return <Dashboard client={client} sites={sites} who={who} onLeave={leave} />;
    case "sites":
      return <Sites client={client} sites={sites} who={who} onChanged={again} onLeave={leave} />;
    case "settings":
      return (
        <Settings
          client={client}
          sites={sites}
          who={who}
          site={route.site ?? sites[0]?.domain ?? null}
          part={route.part}
          onChanged={again}
          onLeave={leave}
        />
      );
    case "operator":
      return <Operator client={client} who={who} part={route.part} onLeave={leave} />;
    default:
      return <Nowhere who={who} onLeave={leave} />;
  }
}
