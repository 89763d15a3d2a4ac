// The worker's entry: hands requests to the Wasm instance and, when a panic has ended it, to a new one.
//
// A Rust panic leaves the instance's memory in doubt, and every request and Durable Object of the process lives in that one instance.
// wasm-bindgen makes a new instance at the next call; this module gives every object a new inside then, read again from its storage, and
// answers the requests that the panic cut off.
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers';
import * as wasm from './bindings.js';

const state = wasm.__worker_init_state();

/** Longest time a request may take, milliseconds: longer, and its batcher does not answer or its instance is gone. */
const TIMEOUT_MS = 10_000;
/** How long after a panic the requests that it cut off are answered, milliseconds. */
const LOOK_EVERY_MS = 250;

const unavailable = () =>
  new Response('the collector did not answer in time', {
    status: 503,
    headers: { 'retry-after': '1', 'access-control-allow-origin': '*', 'content-type': 'text/plain; charset=utf-8' },
  });

/** The call's answer, from a living instance. A panic inside gives `undefined`, unless it leaves the call unanswered for ever. */
const guarded = async (call) => {
  if (state.criticalError) {
    state.criticalError = false;
    wasm.__wbg_reset_state();
  }
  try {
    return await call();
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError) && !state.criticalError) throw error;
    console.error('the Wasm instance ended:', error.message);
    state.criticalError = true;
    return undefined;
  }
};

/** The same, and `undefined` also when the instance ended meanwhile or the call takes too long. */
const limited = async (call) => {
  let timer;
  const answer = guarded(call);
  const instance = state.instanceId;
  const cutOff = new Promise((resolve) => {
    let left = TIMEOUT_MS;
    const look = () => {
      left -= LOOK_EVERY_MS;
      if (left < 0 || state.criticalError || state.instanceId !== instance) resolve(undefined);
      else timer = setTimeout(look, LOOK_EVERY_MS);
    };
    timer = setTimeout(look, LOOK_EVERY_MS);
  });
  try {
    return await Promise.race([answer, cutOff]);
  } finally {
    clearTimeout(timer);
  }
};

export default class extends WorkerEntrypoint {
  async fetch(request) {
    return (await limited(() => wasm.fetch.call(this, request, this.env, this.ctx))) ?? unavailable();
  }
}

/** A Durable Object whose inside lives in Wasm and is made anew in each instance. */
const durable = (name) =>
  class extends DurableObject {
    #instance;
    #inner;

    #current() {
      if (this.#instance !== state.instanceId) {
        this.#inner = new wasm[name](this.ctx, this.env);
        this.#instance = state.instanceId;
      }
      return this.#inner;
    }

    async fetch(request) {
      return (await guarded(() => this.#current().fetch(request))) ?? unavailable();
    }

    async alarm() {
      // An alarm that is cut off throws, so that the runtime repeats it.
      if ((await limited(() => this.#current().alarm())) === undefined) throw new Error('the alarm was cut off');
    }
  };

export const Batcher = durable('Batcher');
export const Directory = durable('Directory');
