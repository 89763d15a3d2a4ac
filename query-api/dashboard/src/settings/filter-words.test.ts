import { expect, it } from "vitest";
import { filterWords } from "./filter-words";

it("says every form of filter", () => {
  for (const [filter, words] of [
    [["is", "visit:source", ["Google", "Bing"]], "source is Google or Bing"],
    [["contains_not", "event:page", ["/blog"]], "page does not contain /blog"],
    [["is", "event:props:plan", ["pro"]], "property plan is pro"],
    [["is", "visit:utm_source", ["x"]], "utm source is x"],
    [
      [
        "or",
        [
          ["is", "visit:country", ["DE"]],
          ["is", "visit:country", ["AT"]],
        ],
      ],
      "country is DE or country is AT",
    ],
    [["not", ["is", "visit:device", ["Mobile"]]], "not (device is Mobile)"],
    [["has_done", ["is", "event:goal", ["Signup"]]], "did goal is Signup"],
    ["odd", "odd"],
  ] as const) {
    expect(filterWords(filter)).toBe(words);
  }
});
