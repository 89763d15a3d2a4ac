import { expect, it } from "vitest";
import { embedCode } from "./embed";

it("frames the link as an embedded view, whatever the domain holds", () => {
  const code = embedCode("https://weir.example/share/a.example?auth=abc", 'a"<b>.example');
  expect(code).toContain('src="https://weir.example/share/a.example?auth=abc&amp;embed=true"');
  expect(code).toContain('title="Figures of a&quot;&lt;b>.example"');
});
