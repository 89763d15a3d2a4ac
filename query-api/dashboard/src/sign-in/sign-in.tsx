/** The page before somebody has signed in. */
import { useRef, useState } from "preact/hooks";
import { ApiError, Client } from "../api/client";
import { signIn } from "../session";
import { Mark } from "../view/icons";
import "./sign-in.css";

interface Props {
  /** Why the reader is here again, if there is a reason. */
  notice: string | null;
  onSignedIn: () => void;
}

/** Asks for an API key and exchanges it for a session; the key is forgotten at once. */
export function SignIn({ notice, onSignedIn }: Props) {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [shown, setShown] = useState(false);
  const field = useRef<HTMLInputElement>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    const input = field.current;
    const key = input?.value.trim() ?? "";
    if (key === "") {
      setProblem("Paste a key first.");
      input?.focus();
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      await signIn(new Client(), key);
      if (input) input.value = "";
      onSignedIn();
    } catch (cause) {
      setBusy(false);
      const refused = cause instanceof ApiError && (cause.status === 401 || cause.status === 403);
      setProblem(refused ? "This key was not accepted. Check that it is complete." : readable(cause));
      input?.focus();
    }
  };

  return (
    <main class="gate" id="content" tabIndex={-1}>
      <form class="surface gate-form" onSubmit={submit} noValidate>
        <p class="gate-brand">
          <Mark />
          <span>Weir</span>
        </p>
        <h1>Sign in with a key</h1>
        {notice && (
          <p class="gate-notice" role="status">
            {notice}
          </p>
        )}
        <label for="key">API key</label>
        <div class="gate-field">
          <input
            id="key"
            ref={field}
            {...(shown ? { type: "text" } : { type: "password" })}
            placeholder="weir_…"
            autocomplete="current-password"
            autocapitalize="off"
            spellcheck={false}
            aria-invalid={problem !== null}
            aria-describedby={problem ? "key-problem key-help" : "key-help"}
          />
          <button type="button" class="plain" aria-pressed={shown} onClick={() => setShown(!shown)}>
            {shown ? "Hide" : "Show"}
            <span class="hidden"> key</span>
          </button>
        </div>
        <p class="gate-problem" id="key-problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "Checking…" : "Sign in"}
        </button>
        <p class="gate-help" id="key-help">
          Whoever runs this Weir makes a key with
          <code>weir key create --site your-site.example</code>
          The key is exchanged for a session of twelve hours and kept nowhere in this browser.
        </p>
      </form>
    </main>
  );
}

function readable(cause: unknown): string {
  return cause instanceof ApiError ? cause.message : "Something went wrong. Try again.";
}
