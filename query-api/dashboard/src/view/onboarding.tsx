/** What a site without any event sees: the line to paste, and a watch for the first visit. */
import { useRef, useState } from "preact/hooks";
import type { Site } from "../api/types";
import { snippet } from "../report/snippet";

export function Onboarding({ site }: { site: Site }) {
  const text = snippet(site, location);
  const code = useRef<HTMLElement>(null);
  const [copied, setCopied] = useState(false);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setCopied(true);
    } catch {
      // No clipboard here: select the line, so that one key press copies it.
      if (code.current) getSelection()?.selectAllChildren(code.current);
    }
  };
  return (
    <section class="surface onboarding" aria-labelledby="onboarding-title">
      <h2 id="onboarding-title">Nothing has arrived from {site.domain} yet</h2>
      <p>
        Paste this line into the <code>&lt;head&gt;</code> of every page, then open one of them:
      </p>
      <pre class="snippet">
        <code ref={code}>{text}</code>
      </pre>
      {!site.script_url && <p class="meaning">Change the address if your Weir collects events elsewhere.</p>}
      <div class="onboarding-foot">
        <button type="button" class="primary" onClick={copy}>
          {copied ? "Copied" : "Copy the line"}
        </button>
        <p class="waiting" role="status">
          <span class="dot dot-waiting" aria-hidden="true" />
          Waiting for the first event
        </p>
      </div>
    </section>
  );
}
