/** One step of a replay. */
import type { ComponentChildren } from "preact";

interface Props {
  number: number;
  title: string;
  lead: string;
  current: boolean;
  children: ComponentChildren;
}

export function Step({ number, title, lead, current, children }: Props) {
  return (
    <li class={current ? "step step-current" : "step"} aria-current={current ? "step" : undefined}>
      <div class="step-head">
        <span class="step-number" aria-hidden="true">
          {number}
        </span>
        <div>
          <h2>{title}</h2>
          <p class="section-lead">{lead}</p>
        </div>
      </div>
      <div class="step-body">{children}</div>
    </li>
  );
}
