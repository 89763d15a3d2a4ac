/** A window above the page, a sheet from below on phones: the browser's own dialog. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { Cross } from "../view/icons";

interface Props {
  title: string;
  /** Said below the title. */
  about?: ComponentChildren;
  size?: "small" | "large";
  /** The title is for screen readers only. */
  bare?: boolean;
  onClose: () => void;
  children: ComponentChildren;
}

/** Opens when it is put on the page. Escape, the cross and a click beside it ask to close it. */
export function Dialog({ title, about, size = "small", bare = false, onClose, children }: Props) {
  const root = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = root.current;
    const before = document.activeElement;
    if (!element || element.open) return;
    element.showModal();
    return () => {
      element.close();
      // A removed dialog does not hand the focus back by itself.
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: Escape does what a click beside the dialog does.
    <dialog
      ref={root}
      class={`dialog dialog-${size}`}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === root.current && onClose()}
    >
      <div class="dialog-body">
        {!bare && (
          <header class="dialog-head">
            <div>
              <h2>{title}</h2>
              {about && <p class="meaning">{about}</p>}
            </div>
            <button type="button" class="button button-icon quiet" onClick={onClose}>
              <Cross />
              <span class="hidden">Close</span>
            </button>
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}
