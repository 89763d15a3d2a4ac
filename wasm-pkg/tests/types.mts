// Compiled, never run, by install.test.cjs: what must be accepted, and after each `@ts-expect-error` what must not.
import { answer, decode, encode, encodeBatch, normalise, schemaVersion, validate } from '@weir/event';
import type { Answer, Batch, BatchContext, Body, Event, WeirError } from '@weir/event';

const body: Body = [{ n: 'pageview', u: 'https://shop.example/', d: 'shop.example', p: { plan: 'pro' }, $: { currency: 'EUR', amount: 1.5 } }];
const errors: string | undefined = validate(body, Date.now());
const told: Answer = answer(new Uint8Array());
const status: 202 | 400 | 413 = told.status;
const context: BatchContext = { site_id: 7, received_ms: 1, visitor_id: '1', producer: '00', number: 1 };
const bytes: Uint8Array = encode('{}', context, new Uint8Array(16));
const batch: Batch = decode(bytes, schemaVersion());
const again: Uint8Array = encodeBatch(batch);
const same: Uint8Array = normalise(1, again);
const event: Event | undefined = batch.events[0];
const money: string | undefined = event?.revenue?.amount_micros;
const pair: [string, string] | undefined = event?.props[0];
const refused: number = batch.refused.reduce((sum, one) => sum + one.count, 0);
for (const { kind } of batch.controls) {
  if (kind && 'move_site' in kind) kind.move_site.to_partition.toFixed();
}
try {
  encodeBatch({ events: [{ name: 'x', bot: 'declared' }] });
} catch (thrown) {
  const error = thrown as WeirError;
  if (error.code === 'invalid_event') console.log(error.index, error.errors['url']?.join());
  if (error.code === 'unknown_schema') error.version.toFixed();
  // @ts-expect-error only some failures have an index
  error.index;
}
console.log(errors, status, same, money, pair, refused);

// @ts-expect-error bytes are no number
decode(7);
// @ts-expect-error a body is no number
validate(7);
// @ts-expect-error the name of an event is no object
validate({ n: {} });
// @ts-expect-error the site is missing
encode('{}', { received_ms: 1, visitor_id: '1', producer: '00', number: 1 });
// @ts-expect-error visitor ids have 64 bits: they are text
encode('{}', { ...context, visitor_id: 1 });
// @ts-expect-error no such field
encodeBatch({ evnets: [] });
// @ts-expect-error no such mark
encodeBatch({ events: [{ bot: 'human' }] });
// @ts-expect-error the result is no text
const text: string = encode('{}', context);
