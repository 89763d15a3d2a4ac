//! The edge's side of NATS.

pub(crate) mod answer;
pub(crate) mod connection;
