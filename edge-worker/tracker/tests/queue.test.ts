/** The queue with a storage and a server of its own; a real browser is in tests/browser/queue.mjs. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Payload } from '../src/api';

const ENDPOINT = 'https://collector.test/api/event';
const DAY_MS = 24 * 3600e3;
const payload = (n: string, more = {}): Payload => ({ n, u: 'https://a.test/', d: 'a.test', ...more });

/** Requests, as lists of events, and what the server answers. */
let requests: Payload[][];
let answer: () => Promise<{ status: number; headers: Headers }>;
let storage: Record<string, string>;
let queue: typeof import('../src/queue');

const respond =
  (status: number, headers = {}) =>
  async () => ({ status, headers: new Headers(headers) });
const waiting = () => Object.keys(storage).filter((key) => key.startsWith('weir '));
const settle = () => vi.advanceTimersByTimeAsync(0);

beforeEach(async () => {
  vi.useFakeTimers({ now: 1_800_000_000_000 });
  vi.spyOn(Math, 'random').mockReturnValue(0);
  requests = [];
  storage = {};
  answer = respond(202);
  vi.stubGlobal('localStorage', storage);
  vi.stubGlobal('location', { hostname: 'a.test' });
  vi.stubGlobal('window', {});
  vi.stubGlobal('document', { hidden: false });
  vi.stubGlobal('navigator', { onLine: true });
  vi.stubGlobal('settings', { endpoint: ENDPOINT });
  vi.stubGlobal('fetch', (_url: string, { body }: { body: string }) => {
    requests.push([JSON.parse(body)].flat());
    return answer();
  });
  vi.resetModules();
  queue = await import('../src/queue');
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

it('an event is stored until it is answered', async () => {
  queue.send(payload('a'));
  expect(waiting()).toHaveLength(1);
  await settle();
  expect(waiting()).toHaveLength(0);
  expect(requests).toEqual([[{ ...payload('a'), id: expect.stringMatching(/^[0-9a-f]{32}$/) }]]);
});

describe('what is tried again', () => {
  for (const [status, again] of [
    [200, false],
    [202, false],
    [400, false],
    [401, false],
    [413, false],
    [429, true],
    [500, true],
    [503, true],
  ] as const) {
    it(`${status}: ${again ? 'yes' : 'no'}`, async () => {
      answer = respond(status);
      queue.send(payload('a'));
      await settle();
      expect(waiting()).toHaveLength(again ? 1 : 0);
    });
  }
  it('an error of the network: yes', async () => {
    const error = new TypeError('failed');
    answer = () => Promise.reject(error);
    const done = vi.fn();
    queue.send(payload('a'), done);
    await settle();
    expect(waiting()).toHaveLength(1);
    expect(done).toHaveBeenCalledWith({ error });
  });
});

it('again with the same id, its age and the flag, after the pause that the server asked for', async () => {
  answer = respond(503, { 'retry-after': '30' });
  queue.send(payload('a'));
  await settle();
  queue.send(payload('b'));
  await vi.advanceTimersByTimeAsync(29_000);
  expect(requests).toHaveLength(1);
  answer = respond(202);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(requests).toHaveLength(2);
  expect(requests[1]?.map(({ n, id }) => [n, id]).sort()).toEqual([
    ['a', requests[0]?.[0]?.id],
    ['b', expect.any(String)],
  ]);
  expect(requests[1]).toEqual([
    expect.objectContaining({ age: 30_000, retry: true }),
    expect.objectContaining({ age: 30_000, retry: true }),
  ]);
  expect(waiting()).toHaveLength(0);
});

it('the pauses grow, and begin anew after the longest', async () => {
  answer = respond(503);
  queue.send(payload('a'));
  const pauses: number[] = [];
  let before = Date.now();
  for (let attempt = 2; attempt <= 11; attempt++) {
    while (requests.length < attempt) await vi.advanceTimersByTimeAsync(500);
    pauses.push(Math.round((Date.now() - before) / 1000));
    before = Date.now();
  }
  expect(pauses).toEqual([2, 4, 8, 16, 32, 64, 128, 256, 512, 2]);
});

it('no more than a hundred events and 64 kB wait', async () => {
  answer = respond(503, { 'retry-after': '3600' });
  queue.send(payload('first'));
  await settle();
  for (let number = 0; number < 300; number++) queue.send(payload(`${number}`));
  expect(waiting().length).toBeGreaterThan(60);
  expect(waiting().length).toBeLessThanOrEqual(100);
  for (let number = 0; number < 50; number++) queue.send(payload('large', { p: { text: 'x'.repeat(5_000) } }));
  expect(waiting().reduce((sum, key) => sum + key.length + (storage[key] as string).length, 0)).toBeLessThanOrEqual(66_000);
  answer = respond(202);
  queue.flush();
  await settle();
  expect(requests.every((batch) => batch.length <= 100)).toBe(true);
});

it('what is older than a day goes away; other endpoints and other keys stay', async () => {
  const key = (age: number, endpoint = ENDPOINT) => `weir ${Date.now() - age} ${endpoint} x`;
  const stay = { other: 'x', [key(5, 'https://other.test/')]: '{"n":"o"' };
  Object.assign(storage, stay, {
    [key(DAY_MS + 1)]: '{"n":"old"',
    [key(DAY_MS - 1)]: '{"n":"young"',
    [key(DAY_MS + 1, 'https://gone.test/')]: '{"n":"o"',
  });
  queue.flush();
  await settle();
  expect(requests).toEqual([[{ n: 'young', age: DAY_MS - 1, retry: true }]]);
  expect(storage).toEqual(stay);
});

it('a clock that was set back gives age 0', async () => {
  storage[`weir ${Date.now() + 5_000} ${ENDPOINT} x`] = '{"n":"later"';
  queue.flush();
  await settle();
  expect(requests).toEqual([[{ n: 'later', age: 0, retry: true }]]);
});

it('an event that the server cannot digest does not hold up those after it', async () => {
  answer = async () => ({ status: requests.at(-1)?.some(({ n }) => n === 'poison') ? 500 : 202, headers: new Headers() });
  const taken = () =>
    requests
      .filter((batch) => !batch.some(({ n }) => n === 'poison'))
      .flat()
      .map(({ n }) => n);
  queue.send(payload('poison'));
  await settle();
  for (let number = 0; number < 20; number++) {
    await vi.advanceTimersByTimeAsync(1);
    queue.send(payload(`after ${number}`));
  }
  await vi.advanceTimersByTimeAsync(3600e3);
  expect(new Set(taken()).size).toBe(20);
});

it('what a hidden page says is stored only where something failed', async () => {
  vi.stubGlobal('document', { hidden: true });
  queue.send(payload('engagement'));
  expect(waiting()).toHaveLength(0);
  answer = respond(503);
  queue.send(payload('engagement'));
  await settle();
  expect(waiting()).toHaveLength(1);
  queue.send(payload('engagement'));
  expect(waiting()).toHaveLength(2);
});

it('full storage: memory', async () => {
  const full = new Proxy({ plausible_ignore: 'false' } as Record<string, string>, {
    set() {
      throw new DOMException('full', 'QuotaExceededError');
    },
  });
  vi.stubGlobal('localStorage', full);
  vi.resetModules();
  queue = await import('../src/queue');
  answer = respond(503);
  queue.send(payload('a'));
  await settle();
  answer = respond(202);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(requests.map((batch) => batch.map(({ n }) => n))).toEqual([['a'], ['a']]);
});

it('nothing is sent after an objection', async () => {
  answer = respond(503);
  queue.send(payload('a'));
  await settle();
  storage.plausible_ignore = 'true';
  await vi.advanceTimersByTimeAsync(10_000);
  expect(requests).toHaveLength(1);
});
