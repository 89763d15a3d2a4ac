/** The ledger: what became of every event that reached the site's collectors. */
import { useEffect, useState } from "preact/hooks";
import { ApiError, type Client } from "../api/client";
import type { Ledger as Answer, LedgerFigures } from "../api/types";
import { count } from "../format";
import { dayTotals, ledgerAddress, lost, rejectedOf } from "../report/ledger";
import { Problem } from "../view/problem";
import { Dialog } from "./dialog";

interface Props {
  client: Client;
  site: string;
  zone: string;
  onClose: () => void;
}

const REASONS: Record<string, string> = {
  shield: "kept out by a shield",
  bot: "bots",
  rate: "over the rate limit",
};

export function Ledger({ client, site, zone, onClose }: Props) {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [error, setError] = useState<ApiError | null>(null);
  const [attempt, setAttempt] = useState(0);
  // Every attempt asks again.
  useEffect(() => {
    const abort = new AbortController();
    client.call("GET", ledgerAddress(site, client.now()), undefined, abort.signal).then(
      (found) => {
        setAnswer(found as Answer);
        setError(null);
      },
      (cause: unknown) => {
        if (!abort.signal.aborted)
          setError(cause instanceof ApiError ? cause : new ApiError(0, String(cause)));
      },
    );
    return () => abort.abort();
  }, [client, site, attempt]);
  return (
    <Dialog
      title="Ledger"
      about="Every event that arrived in the last seven days, and what became of it."
      size="large"
      onClose={onClose}
    >
      {error ? (
        <Problem error={error} onRetry={() => setAttempt(attempt + 1)} />
      ) : answer ? (
        <Account answer={answer} zone={zone} />
      ) : (
        <div class="chart-skeleton skeleton" aria-hidden="true" />
      )}
    </Dialog>
  );
}

function Account({ answer, zone }: { answer: Answer; zone: string }) {
  const { totals, balance } = answer;
  const missing = lost(answer);
  const rejected = rejectedOf(totals);
  return (
    <>
      <p class={missing === 0 ? "ledger-verdict" : "ledger-verdict ledger-bad"}>
        <strong>{missing === 0 ? "It adds up." : "It does not add up."}</strong> {count(totals.accepted)}{" "}
        events were accepted, {count(balance.in_files)} rows are in files and {count(balance.in_stream)} in
        the live end{balance.erased ? `, ${count(balance.erased)} were deleted` : ""}: {count(missing)} lost.
      </p>
      <dl class="ledger-sum">
        <Item name="Received" value={totals.received} />
        <Item name="Accepted" value={totals.accepted} of="of them bots" part={totals.bots} />
        <Item name="Repeated" value={totals.deduplicated} of="counted once all the same" />
        <Item name="Refused" value={rejected} />
      </dl>
      {rejected > 0 && (
        <ul class="ledger-reasons">
          {Object.entries(totals.rejected).map(([reason, number]) => (
            <li key={reason}>
              {REASONS[reason] ?? reason.replaceAll("_", " ")}: {count(number)}
            </li>
          ))}
        </ul>
      )}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard. */}
      <section class="series-table" tabIndex={0} aria-label="Events by day of receipt">
        <table>
          <caption class="hidden">Events by day of receipt</caption>
          <thead>
            <tr>
              <th scope="col">Received on</th>
              {["Received", "Accepted", "Repeated", "Late", "Bots", "Refused"].map((name) => (
                <th key={name} scope="col" class="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {dayTotals(answer.hours, zone).map(([date, figures]) => (
              <Row key={date} date={date} figures={figures} />
            ))}
          </tbody>
        </table>
      </section>
    </>
  );
}

function Item(props: { name: string; value: number; of?: string; part?: number }) {
  return (
    <div>
      <dt>{props.name}</dt>
      <dd>
        {count(props.value)}
        {props.of && (
          <small>
            {props.part === undefined ? "" : `${count(props.part)} `}
            {props.of}
          </small>
        )}
      </dd>
    </div>
  );
}

function Row({ date, figures }: { date: string; figures: LedgerFigures }) {
  const { received, accepted, deduplicated, late, bots } = figures;
  return (
    <tr>
      <th scope="row">
        {new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeZone: "UTC" }).format(
          new Date(`${date}T00:00:00Z`),
        )}
      </th>
      {[received, accepted, deduplicated, late, bots, rejectedOf(figures)].map((number, index) => (
        <td key={index} class="number">
          {count(number)}
        </td>
      ))}
    </tr>
  );
}
