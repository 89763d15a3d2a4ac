/** Payloads that the edge refused, newest first. */
import { useState } from "preact/hooks";
import { count } from "../format";
import { Loaded } from "../parts/loaded";
import { ago, moment } from "../parts/moment";
import { useResource } from "../parts/use-resource";
import type { OperatorApi, Rejected } from "./api";
import { errorWords, reasonWords } from "./rejected-words";

const EVERY_MS = 5_000;
const SHOWN = 100;

export function RejectedPart({ api }: { api: OperatorApi }) {
  const rejected = useResource("rejected", (signal) => api.rejected(SHOWN, signal), EVERY_MS);
  const [reason, setReason] = useState("");
  return (
    <section class="operator-section" aria-labelledby="rejected-title">
      <h2 id="rejected-title">Refused events</h2>
      <p class="section-lead">
        What the edge did not take, without the sender's address. After a fix,{" "}
        <code>weir rejected recover</code> judges them again.
      </p>
      <Loaded of={rejected}>
        {(list) => {
          if (list.length === 0) return <p class="none-yet">Nothing was refused.</p>;
          const reasons = [...new Set(list.map((one) => one.reason))].sort();
          const shown = list.filter((one) => reason === "" || one.reason === reason);
          return (
            <>
              <div class="rejected-tools">
                <p class="soft" role="status">
                  {shown.length === list.length
                    ? `The latest ${count(list.length)}`
                    : `${count(shown.length)} of the latest ${count(list.length)}`}
                </p>
                {reasons.length > 1 && (
                  <label>
                    <span class="hidden">Reason</span>
                    <select
                      class="input"
                      value={reason}
                      onChange={(event) => setReason(event.currentTarget.value)}
                    >
                      <option value="">Every reason</option>
                      {reasons.map((one) => (
                        <option key={one} value={one}>
                          {reasonWords(one)}
                        </option>
                      ))}
                    </select>
                  </label>
                )}
              </div>
              <ul class="rejected">
                {shown.map((one) => (
                  <Row key={one.seq} one={one} />
                ))}
              </ul>
            </>
          );
        }}
      </Loaded>
    </section>
  );
}

function Row({ one }: { one: Rejected }) {
  const errors = errorWords(one.errors);
  return (
    <li class="rejected-row">
      <p class="rejected-head">
        <strong>{reasonWords(one.reason)}</strong>
        <span>{one.domains.join(", ") || "no site named"}</span>
        <time class="soft" dateTime={one.time} title={moment(one.time)}>
          {ago(Date.now() - Date.parse(one.time))}
        </time>
      </p>
      {errors && <p class="rejected-errors">{errors}</p>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by key. */}
      <pre class="rejected-body" tabIndex={0}>
        <code>{one.body}</code>
      </pre>
    </li>
  );
}
