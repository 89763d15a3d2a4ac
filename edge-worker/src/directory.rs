//! Knows all sites, salts and keys, and hands refused payloads on.

pub(crate) mod cache;
pub(crate) mod changes;
pub(crate) mod keys;
mod rejected;
pub(crate) mod salts;
mod seal;
mod shell;
pub(crate) mod snapshot;
mod storage;
mod sync;

pub(crate) use shell::{Shell, get, post};
