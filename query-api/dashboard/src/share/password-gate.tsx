/** Asks for the password of a shared link. */
import { useRef, useState } from "preact/hooks";
import { Mark } from "../view/icons";
import "../sign-in/sign-in.css";

interface Props {
  site: string;
  /** A password was given and did not open the link. */
  wrong: boolean;
  onPassword: (password: string) => Promise<void>;
}

export function PasswordGate({ site, wrong, onPassword }: Props) {
  const [busy, setBusy] = useState(false);
  const [empty, setEmpty] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    const password = field.current?.value ?? "";
    setEmpty(password === "");
    if (password !== "") {
      setBusy(true);
      await onPassword(password);
      setBusy(false);
    }
    field.current?.focus();
  };
  const problem = empty ? "Type the password first." : wrong ? "This is not the password." : null;
  return (
    <main class="gate" id="content" tabIndex={-1}>
      <form class="surface gate-form" onSubmit={submit} noValidate>
        <p class="gate-brand">
          <Mark />
          <span>Weir</span>
        </p>
        <h1>The figures of {site} are behind a password</h1>
        <label for="password">Password</label>
        <div class="gate-field">
          <input
            id="password"
            type="password"
            ref={field}
            autocomplete="off"
            aria-invalid={problem !== null}
            aria-describedby="password-problem"
          />
        </div>
        <p class="gate-problem" id="password-problem" role="alert">
          {problem}
        </p>
        <button type="submit" class="primary" disabled={busy}>
          {busy ? "Opening…" : "Open"}
        </button>
        <p class="gate-help">Whoever sent you the link knows it.</p>
      </form>
    </main>
  );
}
