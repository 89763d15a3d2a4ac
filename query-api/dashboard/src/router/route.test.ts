import { expect, it } from "vitest";
import { parseRoute, settingsAddress, viewAddress } from "./route";

it("knows every room by its path", () => {
  expect(parseRoute("/", "?site=a.example")).toEqual({ name: "view" });
  expect(parseRoute("/sign-in", "")).toEqual({ name: "view" });
  expect(parseRoute("/sites", "")).toEqual({ name: "sites" });
  expect(parseRoute("/sites/", "")).toEqual({ name: "sites" });
  expect(parseRoute("/settings", "?site=a.example&part=goals")).toEqual({
    name: "settings",
    site: "a.example",
    part: "goals",
  });
  expect(parseRoute("/settings", "")).toEqual({ name: "settings", site: null, part: null });
  expect(parseRoute("/operator", "?part=replay")).toEqual({ name: "operator", part: "replay" });
});

it("reads a shared link, a site with a slash in its name included", () => {
  expect(parseRoute("/share/a.example", "?auth=abc")).toEqual({
    name: "share",
    site: "a.example",
    slug: "abc",
    embed: false,
    theme: null,
  });
  expect(parseRoute("/share/a.example%2Fblog", "auth=abc&embed=true&theme=dark")).toEqual({
    name: "share",
    site: "a.example/blog",
    slug: "abc",
    embed: true,
    theme: "dark",
  });
  expect(parseRoute("/share/a.example", "")).toMatchObject({ slug: null });
});

it("leads nowhere from any other path", () => {
  for (const path of ["/share", "/share/a/b", "/share/%E0%A4%A", "/settings/x", "/sitesx", "//x"]) {
    expect(parseRoute(path, "")).toEqual({ name: "nowhere" });
  }
});

it("writes addresses that it reads again", () => {
  expect(viewAddress("a.example/b c")).toBe("/?site=a.example%2Fb%20c");
  const [path = "", search = ""] = settingsAddress("a&b.example", "shields").split("?");
  expect(parseRoute(path, search)).toEqual({ name: "settings", site: "a&b.example", part: "shields" });
});
