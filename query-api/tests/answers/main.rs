//! The router in process, on parts and live ends that are made here: no network, no clock.

mod api;
mod fixture;
mod metrics;
mod property;
