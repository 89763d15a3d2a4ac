/** Asks before something that cannot be taken back. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";

interface Props {
  title: string;
  children: ComponentChildren;
  /** The word on the button that does it. */
  act: string;
  /** It destroys something. */
  grave?: boolean;
  /** What has to be typed first. */
  typed?: string;
  busy?: boolean;
  onConfirm: () => void;
  onClose: () => void;
}

/** A dialog of the browser: focus stays inside, Escape closes, and focus returns. */
export function Confirm({ title, children, act, grave, typed, busy, onConfirm, onClose }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [given, setGiven] = useState("");
  const id = useId();
  useEffect(() => {
    const before = document.activeElement;
    const shown = dialog.current;
    shown?.showModal();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog class="confirm" ref={dialog} aria-labelledby={`${id}-title`} onClose={onClose}>
      <form
        method="dialog"
        onSubmit={(event) => {
          event.preventDefault();
          if (typed === undefined || given.trim() === typed) onConfirm();
        }}
      >
        <h2 id={`${id}-title`}>{title}</h2>
        <div class="confirm-text">{children}</div>
        {typed !== undefined && (
          <div class="form-field">
            <label for={`${id}-typed`}>
              Type <strong>{typed}</strong> to go on
            </label>
            <input
              id={`${id}-typed`}
              class="input"
              autocomplete="off"
              spellcheck={false}
              value={given}
              onInput={(event) => setGiven(event.currentTarget.value)}
            />
          </div>
        )}
        <div class="confirm-foot">
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
          <button
            type="submit"
            class={grave ? "primary primary-grave" : "primary"}
            disabled={busy || (typed !== undefined && given.trim() !== typed)}
          >
            {act}
          </button>
        </div>
      </form>
    </dialog>
  );
}
