/** Counts one event. */
import type { EventOptions, Payload, Props } from './api';
import type { Transformed } from './build';
import { begin, report } from './engagement';
import { ignored } from './ignore';
import { send } from './queue';

/** This script's generation, told with every event. */
export const VERSION = 2;

const custom = (name: string): Props | undefined =>
  typeof settings.customProperties == 'function' ? settings.customProperties(name) : settings.customProperties;

export const track = (name: string, options: EventOptions = {}): void => {
  const isView = name == 'pageview';
  if (isView) report();
  let payload: Transformed = {
    n: name,
    v: VERSION,
    u: options.u || options.url || location.href,
    d: settings.domain,
    r: document.referrer,
    p: { ...(RUNTIME ? custom(name) : P), ...options.props },
    $: options.revenue,
    i: options.interactive,
    h: RUNTIME ? (settings.hashBasedRouting ? 1 : undefined) : H,
  };
  let why = ignored() || (!RUNTIME && X?.(name));
  if (RUNTIME && !why && settings.transformRequest) {
    payload = settings.transformRequest(payload);
    if (!payload) why = 'transformRequest';
  }
  if (why) {
    if (!RUNTIME || settings.logging) console.warn(`Ignored: ${why}`);
    options.callback?.();
  } else send(payload as Payload, options.callback);
  if (isView) begin(!why && (payload as Payload));
};
