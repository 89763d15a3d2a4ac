// The worker's entry: hands requests to the Wasm instance and, when a panic has ended it, to a new one.
//
// A Rust panic leaves the instance's memory in doubt, and every request and Durable Object of the process lives in that one instance.
// wasm-bindgen makes a new instance at the next call; this module gives every object a new inside then, read again from its storage, and
// answers the requests that the panic cut off.
import { DurableObject, WorkerEntrypoint } from 'cloudflare:workers';
import * as wasm from './bindings.js';

const state = wasm.__worker_init_state();

/** Longest time a request may take before it counts as cut off, milliseconds. Above the worker's own limits. */
const CUT_OFF_MS = 15_000;
/** How long after a panic requests that began before it are given up, milliseconds. */
const LOOK_EVERY_MS = 250;

const unavailable = () =>
  new Response('the collector restarts', {
    status: 503,
    headers: { 'retry-after': '1', 'access-control-allow-origin': '*', 'content-type': 'text/plain; charset=utf-8' },
  });

/** Replaces an instance that a panic ended. */
const renew = () => {
  if (state.criticalError) {
    state.criticalError = false;
    wasm.__wbg_reset_state();
  }
};

/** The call's answer, or `undefined` when its instance ended or it takes too long. */
const guarded = async (call) => {
  renew();
  const instance = state.instanceId;
  let timer;
  const cutOff = new Promise((resolve) => {
    const until = Date.now() + CUT_OFF_MS;
    const look = () => {
      if (state.criticalError || state.instanceId !== instance || Date.now() > until) resolve(undefined);
      else timer = setTimeout(look, LOOK_EVERY_MS);
    };
    timer = setTimeout(look, LOOK_EVERY_MS);
  });
  try {
    return await Promise.race([call(), cutOff]);
  } catch (error) {
    if (!(error instanceof WebAssembly.RuntimeError) && !state.criticalError) throw error;
    console.error('the Wasm instance ended', error.message);
    state.criticalError = true;
    return undefined;
  } finally {
    clearTimeout(timer);
  }
};

export default class extends WorkerEntrypoint {
  async fetch(request) {
    return (await guarded(() => wasm.fetch.call(this, request, this.env, this.ctx))) ?? unavailable();
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
      if ((await guarded(() => this.#current().alarm())) === undefined) throw new Error('the alarm was cut off');
    }
  };

export const Batcher = durable('Batcher');
export const Directory = durable('Directory');
