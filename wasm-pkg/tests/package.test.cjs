// The package as a JavaScript edge uses it: `node --test wasm-pkg/tests`, after infra/tools/build-wasm-pkg.sh.
const test = require('node:test');
const assert = require('node:assert/strict');
const weir = require('../../target/wasm-pkg/weir.js');

const pageview = JSON.stringify({ n: 'pageview', u: 'https://shop.example/a?utm_source=news', d: 'shop.example' });
const context = JSON.stringify({
  site_id: 7,
  received_ms: 1795000000000,
  visitor_id: '18446744073709551615',
  country: 'NZ',
  producer: '000102030405060708090a0b0c0d0e0f',
  number: 3,
});

test('a good event has nothing wrong with it', () => {
  assert.equal(weir.validate(pageview), undefined);
});

test('errors are those of the edge', () => {
  assert.deepEqual(JSON.parse(weir.validate('{"n":"pageview","d":"shop.example"}')), { errors: { url: ['is required'] } });
  assert.deepEqual(JSON.parse(weir.validate('{')), { errors: { request: ['Unable to parse request body as json'] } });
  assert.deepEqual(JSON.parse(weir.validate(`[${pageview},{"n":"x","d":"shop.example"}]`)), {
    errors: [{ index: 1, errors: { url: ['is required'] } }],
  });
});

test('an encoded batch is read back unchanged', () => {
  const batch = weir.encode(pageview, context, new Uint8Array(16).fill(9));
  assert.deepEqual(weir.normalise(weir.schemaVersion(), batch), batch);
});

test('bytes that are no batch are refused', () => {
  assert.throws(() => weir.normalise(1, new Uint8Array([255, 255, 255])), /not a protobuf EventBatch/);
  assert.throws(() => weir.normalise(2, new Uint8Array()), /schema version 2 is unknown/);
  assert.throws(() => weir.encode(pageview, context, new Uint8Array(3)), /random must have 16 bytes an event/);
});
