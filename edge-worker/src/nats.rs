//! The edge's side of NATS.

pub(crate) mod answer;
mod choice;
pub(crate) mod connection;
pub(crate) mod link;
