/** One surface of a part: heading, what it is for, and its content. */
import type { ComponentChildren } from "preact";
import { useId } from "preact/hooks";

interface Props {
  title: string;
  lead?: ComponentChildren;
  grave?: boolean;
  children: ComponentChildren;
}

export function Section({ title, lead, grave, children }: Props) {
  const id = useId();
  return (
    <section class={grave ? "section section-grave" : "section"} aria-labelledby={id}>
      <h2 id={id}>{title}</h2>
      {lead && <p class="section-lead">{lead}</p>}
      <div class="section-body">{children}</div>
    </section>
  );
}

/** Said where the reader's key may look and not change. */
export function OnlyReading() {
  return <p class="soft">Your key may read this and not change it.</p>;
}
