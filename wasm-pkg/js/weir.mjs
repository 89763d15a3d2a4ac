// Node, as an ES module: the same instance that `require` gives.
import weir from './weir.js';

export const { answer, decode, encode, encodeBatch, normalise, schemaVersion, validate } = weir;
