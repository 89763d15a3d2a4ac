//! Keeps events until they are on a partition's stream.

mod core;
mod shell;
mod status;
mod storage;

pub(crate) use shell::{Shell, append, panic_url, probe_url, status_url};
pub(crate) use status::Status;
