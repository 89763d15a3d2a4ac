/** What a replay changes: in all, and by value. */
import { count } from "../format";
import type { Change, Diff, ValueChange } from "./api";
import { byValue, divided } from "./diff-digest";
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
      {bySite(diff.values).map(({ site, changes }) => (
        <Values key={site} site={site} changes={changes} />
      ))}
      {diff.values_total > diff.values.length && (
        <p class="soft">
          The {count(diff.values.length)} largest of {count(diff.values_total)} figures that change.
        </p>
      )}
      {diff.differences.length > 0 && <Examples diff={diff} />}
    </div>
  );
}

function Totals({ site, changes }: { site: string; changes: Change[] }) {
  const { changed, same } = divided(changes);
  const stays = same.map((one) => `${figure(one.metric, one.served)} ${metricWords(one.metric)}`).join(", ");
  return (
    <div class="diff-totals">
      {changed.length > 0 ? (
        <div class="scroll">
          <table class="plain-table diff-table">
            <caption>In all, {site}</caption>
            <Heads first="Figure" />
            <tbody>
              {changed.map((one) => (
                <tr key={one.metric}>
                  <th scope="row">{metricWords(one.metric)}</th>
                  <Sides one={one} most={most(changes, one.metric)} />
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : (
        <p>
          <strong>In all, nothing changes for {site}</strong>; what changes is how it is divided.
        </p>
      )}
      {stays !== "" && <p class="soft">As before: {stays}.</p>}
    </div>
  );
}

function Values({ site, changes }: { site: string; changes: ValueChange[] }) {
  const moved = byValue(changes.filter((one) => one.dimension !== ""));
  if (moved.length === 0) return null;
  const leads = moved.map(({ lead }) => lead);
  return (
    <div class="scroll">
      <table class="plain-table diff-table">
        <caption>What moves most, {site}</caption>
        <Heads first="Of" />
        <tbody>
          {moved.map(({ lead, others }) => (
            <tr key={`${lead.dimension} ${lead.value}`}>
              <th scope="row">
                {ofWords(lead)} <span class="soft">{metricWords(lead.metric)}</span>
                {others.length > 0 && (
                  <span class="diff-others">
                    {others
                      .map((one) => `${metricWords(one.metric)} ${signed(one.metric, one.difference)}`)
                      .join(", ")}
                  </span>
                )}
              </th>
              <Sides one={lead} most={most(leads, lead.metric)} />
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
