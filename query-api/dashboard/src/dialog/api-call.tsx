/** Shows the query behind a panel, ready to be sent by a program. */
import type { QueryBody } from "../api/types";
import { Copy } from "./copy";
import { Dialog } from "./dialog";

interface Props {
  title: string;
  body: QueryBody;
  revision: string | null;
  onClose: () => void;
}

/** The query as a command line. */
export function curl(body: QueryBody, origin: string, revision: string | null): string {
  const address = `${origin}/api/v2/query${revision === null ? "" : `?rev=${revision}`}`;
  const json = JSON.stringify(body).replaceAll("'", "'\\''");
  return `curl ${address} \\\n  -H "Authorization: Bearer $WEIR_KEY" \\\n  -H "Content-Type: application/json" \\\n  -d '${json}'`;
}

export function ApiCall({ title, body, revision, onClose }: Props) {
  const command = curl(body, location.origin, revision);
  const pretty = JSON.stringify(body, null, 2);
  return (
    <Dialog
      title={`${title}: the API call`}
      about="Exactly what this page asked. Any key that reads the site may ask the same."
      onClose={onClose}
    >
      <h3>POST /api/v2/query</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard. */}
      <section class="code" tabIndex={0} aria-label="The body of the query">
        <pre>
          <code>{pretty}</code>
        </pre>
      </section>
      <h3>On a command line</h3>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: as above. */}
      <section class="code" tabIndex={0} aria-label="The command">
        <pre>
          <code>{command}</code>
        </pre>
      </section>
      <div class="dialog-foot">
        <a class="plain" href="/api/openapi.json" target="_blank" rel="noreferrer">
          Description of the API
        </a>
        <Copy text={pretty} label="Copy query" />
        <Copy text={command} label="Copy command" />
      </div>
    </Dialog>
  );
}
