//! The router in process, on parts and live ends that are made here: no network, no clock.
#![expect(clippy::unwrap_used, reason = "a test ends where its surroundings fail")]

mod api;
mod authorisation;
mod bundles;
mod clients;
mod comparisons;
mod contract;
mod engine;
mod fixture;
mod goals;
mod goals_property;
mod ledger;
mod metrics;
mod openapi;
mod pages;
mod property;
mod recipes;
mod revisions;
#[path = "../support/sealed.rs"]
mod sealed;
mod served;
mod spans;
mod tables;
mod v1;
