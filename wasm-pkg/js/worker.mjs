// Workers on workerd: there an import of a .wasm file gives the compiled module.
import module from './weir_bg.wasm';
import { initSync } from './web.mjs';

initSync({ module });

export { answer, decode, encode, encodeBatch, normalise, schemaVersion, validate } from './web.mjs';
