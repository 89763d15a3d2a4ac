/** Decides between signing in, loading the sites, and the dashboard. */
import { useEffect, useMemo, useState } from "preact/hooks";
import { ApiError, Client } from "./api/client";
import type { Site } from "./api/types";
import { forgetKey, keepKey, storedKey } from "./session";
import { Dashboard } from "./view/dashboard";
import { Mark } from "./view/icons";
import { Problem } from "./view/problem";
import { SignIn } from "./view/sign-in";

export function App() {
  const [key, setKey] = useState(storedKey);
  const [notice, setNotice] = useState<string | null>(null);
  const leave = (reason: string | null) => {
    forgetKey();
    setNotice(reason);
    setKey(null);
  };
  return (
    <>
      <a class="skip" href="#content">
        Skip to the figures
      </a>
      {key === null ? (
        <SignIn
          notice={notice}
          onKey={(given, onThisDevice) => {
            keepKey(given, onThisDevice);
            setKey(given);
          }}
        />
      ) : (
        <SignedIn key={key} apiKey={key} onLeave={leave} />
      )}
    </>
  );
}

function SignedIn({ apiKey, onLeave }: { apiKey: string; onLeave: (reason: string | null) => void }) {
  const [sites, setSites] = useState<Site[] | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [attempt, setAttempt] = useState(0);
  const again = () => setAttempt((number) => number + 1);
  // One client for a key.
  const client = useMemo(() => new Client(apiKey, again), [apiKey]);
  // Every attempt asks again; leaving is the same act every time.
  useEffect(() => {
    const abort = new AbortController();
    client.sites(abort.signal).then(
      (found) => {
        setSites(found);
        setError(null);
      },
      (cause: unknown) => {
        if (abort.signal.aborted) return;
        const problem = cause instanceof ApiError ? cause : new ApiError(0, String(cause));
        if (problem.status === 401) onLeave("Your key is no longer valid. Sign in with another one.");
        else setError(problem);
      },
    );
    return () => abort.abort();
  }, [client, attempt]);

  if (sites) return <Dashboard client={client} sites={sites} onLeave={() => onLeave(null)} />;
  return (
    <>
      <header class="bar">
        <div class="bar-row">
          <Mark />
          <h1 class="site">Weir</h1>
          <div class="bar-end">
            <button type="button" class="button" onClick={() => onLeave(null)}>
              Sign out
            </button>
          </div>
        </div>
      </header>
      <main id="content" class="page" tabIndex={-1} aria-busy={error === null}>
        {error ? (
          <section class="surface">
            <Problem error={error} onRetry={again} />
          </section>
        ) : (
          <section class="surface wait" aria-label="Loading">
            <div class="chart-skeleton skeleton" />
          </section>
        )}
      </main>
    </>
  );
}
