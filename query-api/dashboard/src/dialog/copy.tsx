/** A button that copies a text, and says that it did. */
import { useState } from "preact/hooks";

export function Copy({ text, label = "Copy" }: { text: string; label?: string }) {
  const [copied, setCopied] = useState<boolean | null>(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      setCopied(false);
    }
  };
  return (
    <button type="button" class="button" onClick={copy}>
      <span role="status">{copied === null ? label : copied ? "Copied" : "Select and copy it yourself"}</span>
    </button>
  );
}
