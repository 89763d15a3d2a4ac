/** A link to another room of this page. */
import type { ComponentChildren } from "preact";
import { go, isPlainClick } from "./navigate";

interface Props {
  href: string;
  class?: string;
  /** The room shown now. */
  current?: boolean;
  title?: string;
  children: ComponentChildren;
}

export function Link({ href, class: name, current, title, children }: Props) {
  return (
    <a
      href={href}
      class={name}
      title={title}
      aria-current={current ? "page" : undefined}
      onClick={(event) => {
        if (!isPlainClick(event)) return;
        event.preventDefault();
        go(href);
      }}
    >
      {children}
    </a>
  );
}
