/** Single events that make a difference, with what they gave and what they give now. */
import { count } from "../format";
import type { Diff, Difference, Sample } from "./api";
import { examplesOf } from "./diff-digest";
import { dimensionName, figure, metricWords, ofWords, sampleSides } from "./diff-words";

/** Differences that are shown. */
const SHOWN = 8;

export function Examples({ diff }: { diff: Diff }) {
  const examples = examplesOf(diff.differences, SHOWN);
  if (examples.length === 0) return null;
  return (
    <details class="examples" open>
      <summary>Examples</summary>
      <ul>
        {examples.map(({ of, samples }) => (
          <Example
            key={`${of.site_id} ${of.hour} ${of.dimension} ${of.value} ${of.metric}`}
            one={of}
            samples={samples}
          />
        ))}
      </ul>
      <p class="soft">
        From {count(diff.differences_total)} figures of single hours; <code>weir replay diff --limit</code>{" "}
        lists more.
      </p>
    </details>
  );
}

function Example({ one, samples }: { one: Difference; samples: Sample[] }) {
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
      {samples.map((sample) => {
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
