import { afterEach, expect, it, vi } from "vitest";
import { ApiError, Client, isTemporary } from "./client";

afterEach(() => vi.unstubAllGlobals());

function answering(status: number, body: unknown, headers: Record<string, string> = {}) {
  const fetch = vi.fn(
    async (_path: string, _init: RequestInit) => new Response(JSON.stringify(body), { status, headers }),
  );
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

it("leaves it to the session's cookie to say who asks", async () => {
  const fetch = answering(200, 23);
  expect(await new Client().call("GET", "/api/v1/stats/x?site_id=a%20b.example")).toBe(23);
  const [path, init] = fetch.mock.calls[0] ?? [];
  expect(path).toBe("/api/v1/stats/x?site_id=a%20b.example");
  expect(init?.headers).toEqual({});
  expect(init?.credentials).toBe("same-origin");
});

it("sends the token of an embedded view as a bearer, never in the address, and no cookie", async () => {
  const fetch = answering(200, 23);
  await new Client(undefined, "secret").call("GET", "/api/v1/stats/x");
  const [path, init] = fetch.mock.calls[0] ?? [];
  expect(path).not.toContain("secret");
  expect(init?.headers).toEqual({ Authorization: "Bearer secret" });
  expect(init?.credentials).toBe("omit");
});

it("takes an answer without content, and keeps the name of a fault", async () => {
  vi.stubGlobal("fetch", async () => new Response(null, { status: 204 }));
  expect(await new Client().call("DELETE", "/api/session")).toBeNull();
  answering(401, { error: "Wrong password for this shared link.", code: "wrong_password" });
  await expect(new Client().call("POST", "/api/share/x/session", {})).rejects.toMatchObject({
    code: "wrong_password",
  });
});

it("reports a refusal with the server's words, and leaves it to the list of sites to explain it", async () => {
  answering(401, { error: "Invalid API key or site ID." });
  const refused = vi.fn();
  const client = new Client(refused);
  await expect(client.sites()).rejects.toBeInstanceOf(ApiError);
  expect(refused).not.toHaveBeenCalled();
  await expect(client.call("GET", "/api/v1/stats/x")).rejects.toMatchObject({
    status: 401,
    message: "Invalid API key or site ID.",
  });
  expect(refused).toHaveBeenCalledOnce();
});

it("asks a view again by its tag, and takes the figures it knows when none changed", async () => {
  const answer = (visitors: number) => ({
    results: [{ metrics: [visitors], dimensions: [] }],
    meta: { watermark: "1" },
  });
  const responses = [
    new Response(JSON.stringify({ answers: [answer(7), answer(8)] }), { headers: { ETag: 'W/"a"' } }),
    new Response(null, { status: 304, headers: { "Weir-Watermark": "2" } }),
    new Response(JSON.stringify({ answers: [answer(9), answer(8)] }), { headers: { ETag: 'W/"b"' } }),
  ];
  const fetch = vi.fn(async (_path: string, _init: RequestInit) => responses.shift());
  vi.stubGlobal("fetch", fetch);
  const client = new Client();
  const body = { site_id: "a.example", metrics: ["visitors"], date_range: "day" };
  const ask = () => Promise.all([client.query(body), client.query({ ...body, date_range: "7d" })]);
  await ask();
  const [same] = await ask();
  const tagOf = (call: number) => new Headers(fetch.mock.calls[call]?.[1].headers).get("If-None-Match");
  expect([tagOf(0), tagOf(1)]).toEqual([null, 'W/"a"']);
  expect(same).toMatchObject({ results: [{ metrics: [7] }], meta: { watermark: "2" } });
  expect((await ask())[0].results[0]?.metrics).toEqual([9]);
});

it("takes an answer that was asked for before the script was there, once", async () => {
  const fetch = answering(200, ["asked now"]);
  vi.stubGlobal("weirEarly", { "/api/sites": Promise.resolve(new Response('["asked early"]')) });
  const client = new Client();
  expect(await client.sites()).toEqual(["asked early"]);
  expect(fetch).not.toHaveBeenCalled();
  expect(await client.sites()).toEqual(["asked now"]);
});

it("has words of its own where the server has none", async () => {
  answering(502, "bad gateway");
  await expect(new Client().sites()).rejects.toThrow("status 502");
  vi.stubGlobal("fetch", async () => {
    throw new TypeError("failed to fetch");
  });
  await expect(new Client().sites()).rejects.toMatchObject({
    status: 0,
    message: "The server cannot be reached.",
  });
});

it("follows the server's clock once it differs by more than the header's grain", async () => {
  const client = new Client();
  answering(200, [], { Date: new Date(Date.now() - 3_600_000).toUTCString() });
  await client.sites();
  expect(client.now()).toBeLessThan(Date.now() - 3_500_000);
  answering(200, [], { Date: new Date(Date.now() + 1_500).toUTCString() });
  await client.sites();
  expect(client.clockOffsetMs).toBe(0);
});

it("tells errors that pass from those that stay", () => {
  expect([0, 429, 500, 503].map((status) => isTemporary(new ApiError(status, "")))).toEqual([
    true,
    true,
    true,
    true,
  ]);
  expect([400, 401, 402].map((status) => isTemporary(new ApiError(status, "")))).toEqual([
    false,
    false,
    false,
  ]);
});

it("asks all questions of a moment with one request, of the wanted revision, and names the failed one", async () => {
  const results = [{ metrics: [7], dimensions: [] }];
  const fetch = answering(200, {
    answers: [
      { results, meta: {} },
      { error: "No.", code: "goal_needed", status: 400 },
    ],
  });
  const client = new Client();
  client.revision = "12";
  const body = { site_id: "a.example", metrics: ["visitors"], date_range: "day" };
  const [good, bad] = await Promise.allSettled([
    client.query(body),
    client.query({ ...body, metrics: ["x"] }),
  ]);
  expect(fetch).toHaveBeenCalledOnce();
  expect(fetch.mock.calls[0]?.[0]).toBe("/api/v2/queries?rev=12");
  expect(JSON.parse(String(fetch.mock.calls[0]?.[1].body)).queries).toHaveLength(2);
  expect(good).toMatchObject({ status: "fulfilled", value: { results } });
  expect(bad).toMatchObject({ status: "rejected", reason: { status: 400, code: "goal_needed" } });
});
