/** A labelled input with its hint. */
import type { ComponentChildren } from "preact";

interface Props {
  id: string;
  label: string;
  hint?: ComponentChildren;
  optional?: boolean;
  children: ComponentChildren;
}

/** The input inside must have the id and, with a hint, `aria-describedby` of `<id>-hint`. */
export function Field({ id, label, hint, optional, children }: Props) {
  return (
    <div class="form-field">
      <label for={id}>
        {label}
        {optional && <span class="form-optional"> optional</span>}
      </label>
      {children}
      {hint && (
        <p class="form-hint" id={`${id}-hint`}>
          {hint}
        </p>
      )}
    </div>
  );
}
