// The functions as a JavaScript edge uses them: `node --test wasm-pkg/tests/*.test.cjs`, after infra/tools/build-wasm-pkg.sh.
const test = require('node:test');
const assert = require('node:assert/strict');
const { gzipSync } = require('node:zlib');
const { readFileSync } = require('node:fs');
const path = require('node:path');
const weir = require('../../target/wasm-pkg/weir.js');

const event = { n: 'pageview', u: 'https://shop.example/a?utm_source=news', d: 'shop.example' };
const pageview = JSON.stringify(event);
const refused = '{"errors":{"url":["is required"]}}';
const context = {
  site_id: 7,
  received_ms: 1795000000000,
  visitor_id: '18446744073709551615',
  country: 'NZ',
  producer: '000102030405060708090a0b0c0d0e0f',
  number: 3,
};
const bytes = (text) => new TextEncoder().encode(text);

/** Calls and returns the exception, which must be a WeirError. */
function failure(call) {
  try {
    call();
  } catch (error) {
    assert.ok(error instanceof Error && error.name === 'WeirError', `${error?.stack ?? error}`);
    const { code, ...details } = error;
    delete details.name;
    return [code, details];
  }
  assert.fail('it must fail');
}

test('a good event has nothing wrong with it, in whatever form it comes', () => {
  for (const body of [pageview, bytes(pageview), Buffer.from(pageview), event, [event, event]]) {
    assert.equal(weir.validate(body), undefined);
    assert.deepEqual(weir.answer(body), { status: 202, body: 'ok' });
  }
});

test('errors are the text of the edge', () => {
  const check = (body, status, errors) => {
    assert.equal(weir.validate(body), errors);
    assert.deepEqual(weir.answer(body), { status, body: errors });
  };
  check('{"n":"pageview","d":"shop.example"}', 400, refused);
  check({ n: 'pageview', d: 'shop.example' }, 400, refused);
  check('{', 400, '{"errors":{"request":["Unable to parse request body as json"]}}');
  check(new Uint8Array([34, 255, 34]), 400, '{"errors":{"request":["must be valid UTF-8"]}}');
  check([event, { n: 'x' }], 202, '{"errors":[{"index":1,"errors":{"url":["is required"]}}]}');
  check([7], 400, '{"errors":[{"index":0,"errors":{"request":["must be an object"]}}]}');
  const large = '{"errors":{"request":["must be at most 1000000 bytes"]}}';
  for (const body of [' '.repeat(1_000_001), 'ü'.repeat(500_001), 'x'.repeat(50_000_000), new Uint8Array(1_000_001)]) check(body, 413, large);
});

test('claims are judged only of a trusted sender', () => {
  const body = { ...event, timestamp: 'today' };
  assert.equal(weir.validate(body), undefined);
  assert.match(weir.validate(body, 1795000000000), /timestamp/);
});

test('an encoded batch is read back', () => {
  const batch = weir.encode([event, { ...event, id: 'a'.repeat(32), age: 1000, retry: true, bot: true }], context, new Uint8Array(32).fill(9));
  assert.ok(batch instanceof Uint8Array);
  const { events, ...head } = weir.decode(batch);
  assert.deepEqual(head, {
    producer: context.producer,
    number: 3,
    formed_ms: context.received_ms,
    oldest_unsent_ms: 0,
    batcher: '',
    controls: [],
    refused: [],
  });
  assert.equal(events.length, 2);
  const [first, second] = events;
  assert.deepEqual(
    [first.id, first.name, first.pathname, first.utm_source, first.visitor_id, first.country, first.bot, first.revenue],
    ['09'.repeat(16), 'pageview', '/a', 'news', context.visitor_id, 'NZ', 'none', null],
  );
  assert.deepEqual([second.retry, second.event_ms, second.bot], [true, context.received_ms - 1000, 'declared']);
  // The site's number is mixed into an id that the sender gave.
  assert.match(second.id, /^[0-9a-f]{32}$/);
  assert.notEqual(second.id, 'a'.repeat(32));

  assert.deepEqual(weir.normalise(weir.schemaVersion(), batch), batch);
  assert.deepEqual(weir.encodeBatch(weir.decode(batch)), batch);
});

test('ids are random when no random bytes are given', () => {
  const id = () => weir.decode(weir.encode(pageview, JSON.stringify(context))).events[0].id;
  assert.notEqual(id(), id());
});

test('a batch of events at hand, with controls and refused counts', () => {
  const batch = {
    number: 1,
    events: [{ name: 'Purchase', props: [['plan', 'pro']], revenue: { currency: 'EUR', amount_micros: '-19990000' }, origin: 'import' }],
    controls: [{ id: '01', requested_ms: 5, kind: { move_site: { site_id: 7, to_partition: 1 } } }, { kind: { delete_site: { site_id: 8 } } }],
    refused: [{ site_id: 7, hour_ms: 3_600_000, reason: 'url', count: 2 }],
  };
  const decoded = weir.decode(weir.encodeBatch(batch), 1);
  assert.deepEqual(decoded.refused, batch.refused);
  assert.deepEqual(decoded.controls.map((control) => control.kind), batch.controls.map((control) => control.kind));
  assert.deepEqual(decoded.events[0].revenue, batch.events[0].revenue);
  assert.deepEqual([decoded.events[0].props, decoded.events[0].origin], [[['plan', 'pro']], 'import']);
});

test('failures have a code and what belongs to it', () => {
  const check = (call, code, details = {}) => assert.deepEqual(failure(call), [code, details]);
  check(() => weir.decode(new Uint8Array([255, 255, 255])), 'malformed');
  check(() => weir.decode(new Uint8Array(), 2), 'unknown_schema', { version: 2 });
  check(() => weir.decode(new Uint8Array(900_001)), 'too_large', { size_bytes: 900_001 });
  check(() => weir.decode(new Uint8Array(60_002).map((_, at) => (at % 2 ? 0 : 0x32))), 'too_many_events');
  check(() => weir.decode('text'), 'invalid_argument', { argument: 'bytes' });
  check(() => weir.decode(new Uint8Array(), 1.5), 'invalid_argument', { argument: 'schema' });
  check(() => weir.normalise(2, new Uint8Array()), 'unknown_schema', { version: 2 });
  check(() => weir.encode(pageview, context, new Uint8Array(3)), 'invalid_random', { wanted: 16, found: 3 });
  check(() => weir.encode('{', context), 'invalid_body', {
    status: 400,
    errors: { request: ['Unable to parse request body as json'] },
  });
  check(() => weir.encode([event, {}], context), 'invalid_event', {
    index: 1,
    errors: { event_name: ["can't be blank"], url: ['is required'] },
  });
  check(() => weir.encode(event, { ...context, producer: 'x' }), 'invalid_field', { field: 'producer' });
  check(() => weir.encode(event, { ...context, land: 'NZ' }), 'invalid_field', { field: 'land' });
  check(() => weir.encode(event, 7), 'invalid_field');
  check(() => weir.encodeBatch({ events: [{ number: 1 }] }), 'invalid_field', { field: 'number' });
  check(() => weir.encodeBatch(undefined), 'invalid_argument', { argument: 'batch' });
  check(() => weir.encodeBatch('x'.repeat(30_000_000)), 'invalid_argument', { argument: 'batch' });
  // A number of 2^53 in the batch, which JavaScript could not tell from 2^53 + 1.
  const large = new Uint8Array([0x10, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10]);
  check(() => weir.decode(large), 'unsafe_integer', { field: 'number' });
  assert.deepEqual(weir.normalise(1, large), large);
});

test('nothing that is passed brings the module down', () => {
  const cyclic = {};
  cyclic.self = cyclic;
  const odd = [undefined, null, true, NaN, -1, 2 ** 60, 10n, '', '\ud800', Symbol('s'), () => 0, {}, [], [[]], cyclic, new Uint8Array(5),
    new Float64Array(3), new ArrayBuffer(8), new DataView(new ArrayBuffer(8)), new Date(NaN), new Map(), Object.create(null), '['.repeat(100_000),
    { get n() { throw new RangeError('mine'); } }, { toJSON: () => undefined }, { [Symbol.toStringTag]: 'Uint8Array', length: 5 }];
  const functions = ['validate', 'answer', 'encode', 'encodeBatch', 'decode', 'normalise'];
  for (const name of functions) {
    for (const first of odd) {
      for (const second of odd) {
        try {
          weir[name](first, second, second);
        } catch (error) {
          assert.ok(error instanceof Error && !(error instanceof WebAssembly.RuntimeError), `${name}: ${error?.stack}`);
        }
      }
    }
  }
  assert.equal(weir.validate(pageview), undefined);
});

test('the largest texts are refused, not run out of memory on', () => {
  const check = (json, field) => assert.deepEqual(failure(() => weir.encodeBatch(json)), ['invalid_field', field ? { field } : {}]);
  check(`{"events":[${'{},'.repeat(8e6)}{}]}`, 'events');
  check(`{"events":[{"props":[${'[],'.repeat(8e6)}[]]}]}`, 'props');
  check(`[${'1,'.repeat(12e6)}1]`);
  const most = weir.encodeBatch(`{"events":[${'{},'.repeat(29_999)}{}]}`);
  assert.deepEqual(weir.encodeBatch(weir.decode(most)), most);
});

test('damaged batches are refused or read, never more', () => {
  const whole = weir.encode([event, { ...event, p: { plan: 'pro' }, $: { currency: 'EUR', amount: '1.5' } }], context, new Uint8Array(32));
  let state = 1;
  const random = (limit) => (state = (state * 48271) % 2147483647) % limit;
  let read = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const damaged = whole.slice(0, random(whole.length) + 1);
    for (let times = random(4); times > 0; times -= 1) damaged[random(damaged.length)] = random(256);
    try {
      const batch = weir.decode(damaged);
      assert.deepEqual(weir.decode(weir.encodeBatch(batch)), batch);
      read += 1;
    } catch (error) {
      assert.equal(error.name, 'WeirError', error.stack);
    }
  }
  assert.ok(read > 100, `${read} read`);
});

test('the Wasm stays small', () => {
  const wasm = readFileSync(path.join(__dirname, '../../target/wasm-pkg/weir_bg.wasm'));
  const size = gzipSync(wasm, { level: 9 }).length;
  assert.ok(size <= 200_000, `${size} bytes with gzip`);
});
