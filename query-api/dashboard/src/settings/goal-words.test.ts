import { expect, it } from "vitest";
import { EMPTY, goalOf, reachedBy } from "./goal-words";

it("says what reaches a goal", () => {
  const goal = { id: 1, display_name: "x", event_name: null, page_path: null };
  expect(reachedBy({ ...goal, goal_type: "event", event_name: "Signup" })).toBe("Event Signup");
  expect(
    reachedBy({ ...goal, goal_type: "event", event_name: "Buy", custom_props: { plan: "pro", tier: "2" } }),
  ).toBe("Event Buy where plan is pro and tier is 2");
  expect(reachedBy({ ...goal, goal_type: "page", page_path: "/thanks*" })).toBe("Visit of /thanks*");
  expect(reachedBy({ ...goal, goal_type: "scroll", page_path: "/", scroll_threshold: 75 })).toBe(
    "75 % of / read",
  );
});

it("makes a goal of a form", () => {
  expect(goalOf({ ...EMPTY, event: " Purchase ", currency: "eur", name: "Bought" })).toEqual({
    goal_type: "event",
    event_name: "Purchase",
    currency: "EUR",
    display_name: "Bought",
  });
  expect(goalOf({ ...EMPTY, kind: "scroll", path: "/blog/*", percent: "50" })).toEqual({
    goal_type: "scroll",
    page_path: "/blog/*",
    scroll_threshold: 50,
  });
  // What other kinds hold does not travel along.
  expect(goalOf({ ...EMPTY, kind: "page", path: "/a", event: "x", currency: "EUR" })).toEqual({
    goal_type: "page",
    page_path: "/a",
  });
  expect(goalOf({ ...EMPTY, event: "Buy", property: "plan", value: "pro" })).toMatchObject({
    custom_props: { plan: "pro" },
  });
});

it("says what is missing before the server has to", () => {
  for (const draft of [
    EMPTY,
    { ...EMPTY, kind: "page" as const, path: "thanks" },
    { ...EMPTY, kind: "scroll" as const, path: "/", percent: "0" },
    { ...EMPTY, kind: "scroll" as const, path: "/", percent: "1.5" },
    { ...EMPTY, event: "Buy", currency: "euro" },
    { ...EMPTY, event: "Buy", property: "plan" },
  ]) {
    expect(goalOf(draft)).toHaveProperty("problem");
  }
});
