//! Event model, validation and batch codec: the contract on the stream.
//!
//! Pure: no clock, no I/O, no async. The worker, the importer and the aggregator all use this crate, so that an event means the
//! same wherever it came in.

pub mod codec;
pub mod domain;
pub mod erase;
pub mod identity;
pub mod key;
pub mod log;
pub mod model;
pub mod network;
pub mod place;
pub mod redact;
pub mod rejected;
pub mod shield;
pub mod site;
pub mod subject;
pub mod validate;

pub use prost::Message;
