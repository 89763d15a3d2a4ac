/** A button that opens a small sheet below itself; on phones the sheet comes from below. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface Props {
  label: ComponentChildren;
  /** Names the sheet for screen readers. */
  name: string;
  buttonClass: string;
  title?: string;
  /** The shortcut that presses the button, found by its mark. */
  opener?: string;
  children: (close: () => void) => ComponentChildren;
}

/** Closes on Escape, on a choice, and when the reader goes elsewhere. */
export function Popover({ label, name, buttonClass, title, opener, children }: Props) {
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
      event.stopPropagation();
      setOpen(false);
      button.current?.focus();
    };
    addEventListener("pointerdown", outside);
    addEventListener("focusin", outside);
    addEventListener("keydown", onEscape, true);
    root.current?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("focusin", outside);
      removeEventListener("keydown", onEscape, true);
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
        title={title}
        aria-expanded={open}
        data-opener={opener}
        onClick={() => setOpen(!open)}
      >
        {label}
      </button>
      {open && (
        <>
          <div class="sheet-shade" aria-hidden="true" />
          {/* biome-ignore lint/a11y/useSemanticElements: a fieldset would draw a form around a menu. */}
          <div class="sheet" role="group" aria-label={name}>
            {children(close)}
          </div>
        </>
      )}
    </div>
  );
}
