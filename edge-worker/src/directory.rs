//! Knows all sites and salts.

pub(crate) mod cache;
pub(crate) mod changes;
pub(crate) mod salts;
mod shell;
pub(crate) mod snapshot;
mod storage;
mod sync;

pub(crate) use shell::Shell;
