//! `weir cluster`: a NATS cluster of a region over TLS, from its files to its streams.

mod certificates;
mod environment;
mod init;
mod node;
mod passwords;
mod plan;
mod provision;
mod server_config;
mod status;

pub(crate) use init::init;
pub(crate) use node::{Node, Ports};
pub(crate) use plan::Wanted;
pub(crate) use provision::provision;
pub(crate) use status::status;
