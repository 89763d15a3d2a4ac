//! The aggregator in this process, with a real nats-server and real files.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where its surroundings fail")]

mod archive;
mod disk;
mod erase;
mod history;
mod ledger;
mod partition;
mod repair;
mod replay;
mod support;
