import { expect, it } from "vitest";
import { errorWords, reasonWords } from "./rejected-words";

it("says reasons and errors", () => {
  expect(reasonWords("unknown_site")).toBe("Unknown site");
  expect(errorWords({ url: ["is invalid", "is long"], name: ["is missing"] })).toBe(
    "url is invalid, is long; name is missing",
  );
  expect(errorWords(null)).toBe("");
  expect(errorWords("broken")).toBe("broken");
  expect(errorWords([{ index: 1 }])).toBe('{"index":1}');
});
