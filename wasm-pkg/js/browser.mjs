// Browsers and bundlers: the Wasm beside this file is fetched while the module loads, so that the functions can be used at once.
import init from './web.mjs';

await init({ module_or_path: new URL('./weir_bg.wasm', import.meta.url) });

export { answer, decode, encode, encodeBatch, normalise, schemaVersion, validate } from './web.mjs';
