/** Single events that make a difference, with what they gave and what they give now. */
import { count } from "../format";
import type { Diff, Difference } from "./api";
import { dimensionName, figure, metricWords, ofWords, sampleSides } from "./diff-words";

export function Examples({ diff }: { diff: Diff }) {
  const [more, shown] = [diff.differences_total > diff.differences.length, diff.differences.slice(0, 8)];
  return (
    <details class="examples" open>
      <summary>Examples</summary>
      <ul>
        {shown.map((one) => (
          <Example key={`${one.site_id} ${one.hour} ${one.dimension} ${one.value} ${one.metric}`} one={one} />
        ))}
      </ul>
      {more && (
        <p class="soft">
          Of {count(diff.differences_total)} figures of single hours; <code>weir replay diff --limit</code>{" "}
          lists more.
        </p>
      )}
    </details>
  );
}

function Example({ one }: { one: Difference }) {
  const hour = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" }).format(
    Date.parse(one.hour),
  );
  const clock = (time: string) =>
    new Intl.DateTimeFormat(undefined, { timeStyle: "medium" }).format(Date.parse(time));
  return (
    <li class="example">
      <p>
        <strong>{one.site ?? `site ${one.site_id}`}</strong>, hour from {hour}: {metricWords(one.metric)} of{" "}
        {ofWords(one)} {figure(one.metric, one.served)} → {figure(one.metric, one.shadow)}
      </p>
      {one.samples.length === 0 && <p class="soft">Only rows of other hours make the difference.</p>}
      {one.samples.map((sample) => {
        const [served, shadow] = sampleSides(sample, one.dimension);
        return (
          <p key={`${sample.seq} ${sample.index}`} class="sample">
            <time dateTime={sample.time}>{clock(sample.time)}</time> <code>{sample.name}</code>{" "}
            <code>{sample.pathname}</code> {one.dimension === "" ? "row" : dimensionName(one.dimension)}{" "}
            <del>{served}</del> <span aria-hidden="true">→</span> <ins>{shadow}</ins>
          </p>
        );
      })}
    </li>
  );
}
