//! Event model, validation and batch codec: the contract on the stream.
//!
//! Pure: no clock, no I/O, no async. The worker, the importer and the aggregator all use this crate, so that an event means the
//! same wherever it came in.

pub mod model;
pub mod site;
pub mod subject;

pub use prost::Message;
