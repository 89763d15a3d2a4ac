import { expect, it } from 'vitest';
import type { EventOptions } from '../src/api';
import { tagged, tagOf } from '../src/tags';

const element = (classes: string, parent?: unknown) =>
  ({ classList: Object.assign(classes.split(' '), { toString: () => classes }), parentElement: parent ?? null }) as unknown as Element;

const told = (classes: string, url?: string) => {
  const calls: [string, EventOptions?][] = [];
  tagged((...call) => calls.push(call), element(classes), url);
  return calls;
};

it('class names are events', () => {
  expect(told('plausible-event-name=Sign+Up plausible-event-plan=a--b plausible-event-Kind--x=y btn')).toEqual([
    ['Sign Up', { props: { plan: 'a--b', Kind: 'x=y' }, revenue: {} }],
  ]);
  expect(told('plausible-event-NAME--A plausible-revenue-amount=1.5 plausible-revenue-currency=EUR', 'https://a.test/')).toEqual([
    ['A', { props: { url: 'https://a.test/' }, revenue: { amount: '1.5', currency: 'EUR' } }],
  ]);
  expect(told('plausible-event-plan=pro')).toEqual([]);
  expect(told('')).toEqual([]);
});

it('looks at three parents', () => {
  let inner = element('plausible-event-name=A');
  for (let level = 0; level < 3; level++) inner = element('', inner);
  expect(tagOf(inner)?.classList.toString()).toBe('plausible-event-name=A');
  expect(tagOf(element('', inner))).toBeUndefined();
  expect(tagOf(null)).toBeUndefined();
});
