/** A link to another room of this page. */
import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
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
  const link = useRef<HTMLAnchorElement>(null);
  // On a phone, lists of rooms are wider than the screen.
  useEffect(() => {
    if (current) link.current?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [current]);
  return (
    <a
      ref={link}
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
