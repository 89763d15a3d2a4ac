import { expect, it } from "vitest";
import { sparkline } from "./sparkline";

it("draws highest values on top and none below the ground", () => {
  expect(sparkline([0, 10, 5], 100, 33)).toEqual({
    line: "M0,31.5L50,1.5L100,16.5",
    area: "M0,31.5L50,1.5L100,16.5L100,33L0,33Z",
  });
  expect(sparkline([0, 0], 10, 33)?.line).toBe("M0,31.5L10,31.5");
  expect(sparkline([4], 10, 30)).toBeNull();
});
