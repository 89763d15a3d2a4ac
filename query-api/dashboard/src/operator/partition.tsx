/** One partition of the stream. */
import type { ComponentChildren } from "preact";
import { count } from "../format";
import { ago, bytes, lag, moment } from "../parts/moment";
import type { Partition } from "./api";
import { LagLine } from "./lag-line";
import { conditionOf, levelWords } from "./overview-words";

export function PartitionCard({ one, now }: { one: Partition; now: number }) {
  const { words, mood } = conditionOf(one);
  return (
    <article class="partition" aria-label={`Partition ${one.partition}`}>
      <header class="partition-head">
        <h3>Partition {one.partition}</h3>
        <p class={`partition-state state-${mood}`}>
          <span class={`dot dot-${mood}`} aria-hidden="true" />
          {words}
        </p>
      </header>
      {one.alarms.map((alarm) => (
        <p key={alarm} class="partition-alarm">
          {alarm}
        </p>
      ))}
      <dl class="facts">
        <Fact name="Behind">
          <strong>{one.lag_ms === null ? "unknown" : lag(one.lag_ms)}</strong>
          <small>{one.lag === 0 ? "every message is in answers" : `${count(one.lag)} messages to go`}</small>
        </Fact>
        <Fact name="Complete to">
          <strong>
            {one.watermark
              ? new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(Date.parse(one.watermark))
              : "–"}
          </strong>
          <small>watermark, your time</small>
        </Fact>
        <Fact name="Stream">
          <strong>{count(one.last_seq)}</strong>
          <small>
            {one.first_seq > 1 ? `messages from ${count(one.first_seq)} on are kept` : "messages, all kept"}
          </small>
        </Fact>
        <Fact name="In files">
          <strong>{count(one.sealed_seq)}</strong>
          <small>{one.unsealed === 0 ? "everything is sealed" : `${count(one.unsealed)} not yet`}</small>
        </Fact>
        <Fact name="Live end">
          <strong>{count(one.tail_rows)}</strong>
          <small>rows in memory</small>
        </Fact>
        <Fact name="Revision">
          <strong>{count(one.revision)}</strong>
          <small>of the manifest</small>
        </Fact>
      </dl>
      <LagLine lagMs={one.lag_ms} at={now} />
      <Parts one={one} />
      <footer class="partition-foot">
        <p>
          Rules <code>{logicName(one)}</code>
          {one.logic.some((logic) => logic.pinned) && ", pinned"}
          {one.logic.length > 1 && `, ${count(one.logic.length)} in turn`} · {count(one.checkpoints.length)}{" "}
          {one.checkpoints.length === 1 ? "checkpoint" : "checkpoints"} to replay from
        </p>
        {one.promotion && (
          <p title={moment(one.promotion.at)}>
            {one.promotion.kind === "promote" ? "A replay was promoted" : "A replay was rolled back"}{" "}
            {ago(now - Date.parse(one.promotion.at))}
            {one.promotion.rollback_offered && "; it can be rolled back"}
          </p>
        )}
      </footer>
    </article>
  );
}

function Fact({ name, children }: { name: string; children: ComponentChildren }) {
  return (
    <div class="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

function logicName(one: Partition): string {
  const last = one.logic[one.logic.length - 1]?.logic ?? "none yet";
  return last.length > 14 ? `${last.slice(0, 14)}…` : last;
}

/** Files by what they cover: small ones are joined into larger ones as time passes. */
function Parts({ one }: { one: Partition }) {
  const total = Math.max(1, one.parts.bytes);
  return (
    <div class="files">
      <div class="files-bar" aria-hidden="true">
        {one.parts.levels.map(({ level, bytes: size }) => (
          <span
            key={level}
            class={`files-${level}`}
            ref={(piece) => {
              if (piece) piece.style.flexGrow = String(size / total);
            }}
          />
        ))}
      </div>
      <table class="files-table">
        <caption class="hidden">Files of partition {one.partition}</caption>
        <thead>
          <tr>
            <th scope="col">Files</th>
            <th scope="col" class="number">
              Number
            </th>
            <th scope="col" class="number">
              Rows
            </th>
            <th scope="col" class="number">
              Size
            </th>
          </tr>
        </thead>
        <tbody>
          {one.parts.levels.map(({ level, parts, rows, bytes: size }) => (
            <tr key={level}>
              <th scope="row">
                <span class={`files-key files-${level}`} aria-hidden="true" />
                {levelWords(level)}
              </th>
              <td class="number">{count(parts)}</td>
              <td class="number">{count(rows)}</td>
              <td class="number">{bytes(size)}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row">All</th>
            <td class="number">{count(one.parts.count)}</td>
            <td class="number">{count(one.parts.rows)}</td>
            <td class="number">{bytes(one.parts.bytes)}</td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}
