/** Text to take along: shown as it is, copied by one press. */
import { useEffect, useRef, useState } from "preact/hooks";

interface Props {
  text: string;
  /** What it is, for the button: `Copy the line`. */
  what: string;
  /** In one line, with the button beside it. */
  inline?: boolean;
}

export function Copy({ text, what, inline }: Props) {
  const code = useRef<HTMLElement>(null);
  const [said, setSaid] = useState<string | null>(null);
  // Another text was not copied yet.
  useEffect(() => setSaid(null), [text]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid("Copied");
    } catch {
      // No clipboard here: the text is selected, so that one key press copies it.
      if (code.current) getSelection()?.selectAllChildren(code.current);
      setSaid("Selected: press Ctrl-C");
    }
  };
  return (
    <div class={inline ? "copy copy-inline" : "copy"}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key. */}
      <pre class="copy-text" tabIndex={0}>
        <code ref={code}>{text}</code>
      </pre>
      <button type="button" class="button" onClick={copy}>
        {said ?? "Copy"}
        <span class="hidden"> {what}</span>
      </button>
      <span class="hidden" role="status">
        {said}
      </span>
    </div>
  );
}
