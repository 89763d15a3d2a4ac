import { expect, it } from "vitest";
import type { Change, Difference, Sample, ValueChange } from "./api";
import { byValue, divided, examplesOf } from "./diff-digest";

const value = (name: string, metric: string, difference: number): ValueChange => ({
  site_id: 1,
  metric,
  served: 5,
  shadow: 5 + difference,
  difference,
  dimension: "visit:channel",
  value: name,
});

it("tells a value once, by the figure that says most", () => {
  const moved = byValue([
    value("Email", "events", 9),
    value("Email", "visits", 2),
    value("Referral", "bounces", -1),
    value("Email", "odd", 1),
  ]);
  expect(moved.map(({ lead, others }) => [lead.value, lead.metric, others.map((one) => one.metric)])).toEqual(
    [
      ["Email", "visits", ["events", "odd"]],
      ["Referral", "bounces", []],
    ],
  );
});

it("parts totals that move from those that stay, and leaves out what there never was", () => {
  const total = (metric: string, served: number, difference: number): Change => ({
    site_id: 1,
    metric,
    served,
    shadow: served + difference,
    difference,
  });
  const { changed, same } = divided([
    total("bounces", 5, -1),
    total("events", 9, 0),
    total("visits", 5, 0),
    total("revenue_micros", 0, 0),
  ]);
  expect(changed.map((one) => one.metric)).toEqual(["bounces"]);
  expect(same.map((one) => one.metric)).toEqual(["visits", "events"]);
});

it("shows a row once", () => {
  const sample = (seq: number): Sample => ({
    seq,
    index: 0,
    time: "t",
    name: "pageview",
    pathname: "/",
    served: "Referral",
    shadow: "Email",
  });
  const difference = (
    name: string,
    metric: string,
    seqs: number[],
    dimension = "visit:channel",
  ): Difference => ({
    ...value(name, metric, 1),
    dimension,
    hour: "h",
    samples: seqs.map(sample),
  });
  const examples = examplesOf(
    [
      difference("Email", "events", [1, 2]),
      difference("Email", "visits", [1]),
      difference("Referral", "visits", [1]),
      difference("x", "visits", [1], "visit:source"),
      difference("y", "visits", []),
    ],
    8,
  );
  expect(examples.map(({ of, samples }) => [of.value, of.metric, samples.map((one) => one.seq)])).toEqual([
    ["Email", "visits", [1]],
    ["x", "visits", [1]],
    ["Email", "events", [2]],
  ]);
  expect(examplesOf([difference("a", "visits", [1]), difference("b", "visits", [2])], 1)).toHaveLength(1);
});
