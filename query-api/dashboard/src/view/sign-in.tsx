/** The page before a key is given. */
import { useRef, useState } from "preact/hooks";
import { ApiError, Client } from "../api/client";
import { Mark } from "./icons";

interface Props {
  /** Why the reader is here again, if there is a reason. */
  notice: string | null;
  onKey: (key: string, onThisDevice: boolean) => void;
}

/** Asks for an API key and tries it before it is kept. */
export function SignIn({ notice, onKey }: Props) {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const [shown, setShown] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const remember = useRef<HTMLInputElement>(null);

  const submit = async (event: Event) => {
    event.preventDefault();
    const key = field.current?.value.trim() ?? "";
    if (key === "") {
      setProblem("Paste a key first.");
      field.current?.focus();
      return;
    }
    setBusy(true);
    setProblem(null);
    try {
      await new Client(key).sites();
      onKey(key, remember.current?.checked ?? false);
    } catch (cause) {
      setBusy(false);
      const refused = cause instanceof ApiError && (cause.status === 401 || cause.status === 403);
      setProblem(refused ? "This key was not accepted. Check that it is complete." : readable(cause));
      field.current?.focus();
    }
  };

  return (
    <main class="sign-in" id="content">
      <form class="surface sign-in-form" onSubmit={submit} noValidate>
        <div class="sign-in-brand">
          <Mark />
          <span>Weir</span>
        </div>
        <h1>Sign in with a key</h1>
        {notice && (
          <p class="note note-warn" role="status">
            {notice}
          </p>
        )}
        <label for="key">API key</label>
        <div class="field">
          <input
            id="key"
            ref={field}
            {...(shown ? { type: "text" } : { type: "password" })}
            placeholder="weir_…"
            autocomplete="off"
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
        <p class="problem" id="key-problem" role="alert">
          {problem}
        </p>
        <label class="check">
          <input type="checkbox" ref={remember} />
          <span>Remember on this device</span>
        </label>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "Checking…" : "Sign in"}
        </button>
        <p class="help" id="key-help">
          Whoever runs this Weir makes a key with
          <code>weir key create --site your-site.example</code>
          It stays in this browser and is sent to this server only.
        </p>
      </form>
    </main>
  );
}

function readable(cause: unknown): string {
  return cause instanceof ApiError ? cause.message : "Something went wrong. Try again.";
}
