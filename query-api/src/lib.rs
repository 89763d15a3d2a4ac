//! The query API: answers questions about sites from parts and the live end of the stream, and serves the dashboard.
//!
//! [`query`] and [`plan`] are pure: from JSON to a validated query, and from that to one SQL statement. [`engine`] runs statements on
//! attached parts and on the tables that [`tail`] fills from the stream; [`bundling`] joins small parts so that few are read; [`revision`] finds earlier states and the shadow of a replay.
//! [`control`] decides who may read what, [`limits`] how much of it; [`cache`] keeps figures that were found before; [`service`] puts an answer together; [`http`] is the outside.

pub mod answer;
pub mod buckets;
pub mod bundling;
pub mod cache;
pub mod clock;
pub mod comparison;
mod config;
pub mod control;
pub mod engine;
pub mod error;
pub mod freshness;
pub mod http;
pub mod ledger;
pub mod limits;
pub mod money;
pub mod operator;
mod places;
pub mod plan;
pub mod query;
pub mod regions;
pub mod revision;
mod run;
pub mod service;
pub mod tail;
pub mod telemetry;

pub use config::{Config, ConfigError, OtherRegionConfig};
pub use run::{RunError, run, run_with};
