/** What a replay changes: in all, and by value. */
import { count } from "../format";
import type { Change, Diff, ValueChange } from "./api";
import { Examples } from "./diff-examples";
import { bySite, figure, headline, metricWords, ofWords, signed } from "./diff-words";

export function DiffView({ diff }: { diff: Diff }) {
  const same = diff.partitions.filter((one) => one.equal).length;
  return (
    <div class="found">
      <p class="found-head" role="status">
        <strong>{headline(diff)}</strong>
        {!diff.equal &&
          same > 0 &&
          ` ${count(same)} of ${count(diff.partitions.length)} partitions came out the same.`}
      </p>
      {bySite(diff.totals).map(({ site, changes }) => (
        <Totals key={site} site={site} changes={changes} />
      ))}
      {!diff.equal && diff.totals.length === 0 && (
        <p class="soft">No site's totals change; what changes is how they are divided.</p>
      )}
      {bySite(diff.values).map(({ site, changes }) => (
        <Values key={site} site={site} changes={changes} />
      ))}
      {diff.values_total > diff.values.length && (
        <p class="soft">
          The {count(diff.values.length)} largest of {count(diff.values_total)} values that change.
        </p>
      )}
      {diff.differences.length > 0 && <Examples diff={diff} />}
    </div>
  );
}

function Totals({ site, changes }: { site: string; changes: Change[] }) {
  return (
    <div class="scroll">
      <table class="plain-table diff-table">
        <caption>In all, {site}</caption>
        <Heads first="Figure" />
        <tbody>
          {changes.map((one) => (
            <tr key={one.metric}>
              <th scope="row">{metricWords(one.metric)}</th>
              <Sides one={one} most={most(changes, one.metric)} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Values({ site, changes }: { site: string; changes: ValueChange[] }) {
  return (
    <div class="scroll">
      <table class="plain-table diff-table">
        <caption>What moves most, {site}</caption>
        <Heads first="Of" />
        <tbody>
          {changes.map((one) => (
            <tr key={`${one.dimension} ${one.value} ${one.metric}`}>
              <th scope="row">
                {ofWords(one)} <span class="soft">{metricWords(one.metric)}</span>
              </th>
              <Sides one={one} most={most(changes, one.metric)} />
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Heads({ first }: { first: string }) {
  return (
    <thead>
      <tr>
        <th scope="col">{first}</th>
        <th scope="col" class="number">
          Served
        </th>
        <th scope="col" class="number">
          New
        </th>
        <th scope="col" class="number">
          Change
        </th>
        <td class="diff-cell" />
      </tr>
    </thead>
  );
}

/** The largest difference of a metric among these: what a bar's length is measured by. */
function most(changes: Change[], metric: string): number {
  return Math.max(
    ...changes.filter((one) => one.metric === metric).map((one) => Math.abs(one.difference)),
    1,
  );
}

function Sides({ one, most }: { one: Change; most: number }) {
  const width = `${Math.max(2, (Math.abs(one.difference) / most) * 100)}%`;
  return (
    <>
      <td class="number">{figure(one.metric, one.served)}</td>
      <td class="number">{figure(one.metric, one.shadow)}</td>
      <td class="number diff-change">
        <span dir="ltr">{signed(one.metric, one.difference)}</span>
      </td>
      <td class="diff-cell" aria-hidden="true">
        <span class={one.difference < 0 ? "diff-track diff-less" : "diff-track diff-more"}>
          <span style={{ width }} />
        </span>
      </td>
    </>
  );
}
