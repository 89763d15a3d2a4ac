import { expect, it, vi } from "vitest";
import { type Ask, BATCH_MAX, Batch } from "./batch";
import type { QueryBody } from "./types";

const body = (site: string): QueryBody => ({ site_id: site, metrics: ["visitors"], date_range: "day" });
const answering = () =>
  vi.fn<Ask>(async (bodies) =>
    bodies.map((one) =>
      one.site_id === "bad"
        ? { failed: new Error("refused") }
        : { results: [{ metrics: [1], dimensions: [one.site_id] }], meta: {} },
    ),
  );

it("asks what is asked together with one request, and gives each its own answer", async () => {
  const ask = answering();
  const batch = new Batch(ask);
  const answers = await Promise.all(["a", "b", "c"].map((site) => batch.put(body(site))));
  expect(ask).toHaveBeenCalledOnce();
  expect(answers.map((answer) => answer.results[0]?.dimensions[0])).toEqual(["a", "b", "c"]);
});

it("fails one question without the others", async () => {
  const batch = new Batch(answering());
  const [good, bad] = await Promise.allSettled([batch.put(body("a")), batch.put(body("bad"))]);
  expect(good.status).toBe("fulfilled");
  expect(bad).toMatchObject({ status: "rejected", reason: new Error("refused") });
});

it("does not ask what was taken back, and stops when nobody waits any more", async () => {
  const ask = vi.fn<Ask>(
    (_bodies, signal) =>
      new Promise((_resolve, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
  );
  const batch = new Batch(ask);
  const early = new AbortController();
  const [one, two] = [new AbortController(), new AbortController()];
  const outcomes = Promise.allSettled([
    batch.put(body("early"), early.signal),
    batch.put(body("a"), one.signal),
    batch.put(body("b"), two.signal),
  ]);
  early.abort();
  await vi.waitFor(() => expect(ask).toHaveBeenCalledOnce());
  const [bodies, signal] = ask.mock.calls[0] ?? [];
  expect(bodies?.map((asked) => asked.site_id)).toEqual(["a", "b"]);
  one.abort();
  expect(signal?.aborted).toBe(false);
  two.abort();
  expect(signal?.aborted).toBe(true);
  expect((await outcomes).every((outcome) => outcome.status === "rejected")).toBe(true);
});

it("divides more questions than one request may hold", async () => {
  const ask = answering();
  const batch = new Batch(ask);
  await Promise.all(Array.from({ length: BATCH_MAX + 1 }, (_, index) => batch.put(body(`s${index}`))));
  expect(ask.mock.calls.map(([bodies]) => bodies.length)).toEqual([BATCH_MAX, 1]);
});
