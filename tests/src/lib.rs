//! Harness of the end-to-end tests and benchmarks: the real programs, started in a temporary home and found through `run.json`.
//!
//! A test starts a [`weir::Weir`], sends with a [`collector::Collector`] and asks with a [`query::Stats`]. What has to become true is
//! awaited by [`poll::until`], never by a sleep.

pub mod browser;
#[cfg(target_os = "linux")]
pub mod chaos;
pub mod chromium;
pub mod cluster;
pub mod collector;
pub mod debian;
pub mod haproxy;
pub mod independent;
pub mod load;
pub mod poll;
pub mod process;
pub mod prometheus;
pub mod query;
pub mod scan;
pub mod scenario;
pub mod secrets;
pub mod unsynced;
pub mod weir;
