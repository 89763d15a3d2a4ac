/** A button that opens a small sheet below itself. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface Props {
  label: ComponentChildren;
  /** Names the sheet for screen readers. */
  name: string;
  buttonClass: string;
  children: (close: () => void) => ComponentChildren;
}

/** Closes on Escape, on a choice, and when the reader goes elsewhere. */
export function Popover({ label, name, buttonClass, children }: Props) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);

  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    const onEscape = (event: KeyboardEvent) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      button.current?.focus();
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    addEventListener("keydown", onEscape);
    root.current?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
      removeEventListener("keydown", onEscape);
    };
  }, [open]);

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div class="popover" ref={root}>
      <button
        type="button"
        class={buttonClass}
        ref={button}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && (
        // biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a form around a menu.
        <div class="sheet" role="group" aria-label={name}>
          {children(close)}
        </div>
      )}
    </div>
  );
}
