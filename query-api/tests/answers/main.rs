//! The router in process, on parts and live ends that are made here: no network, no clock.
#![expect(clippy::unwrap_used, reason = "a test ends where its surroundings fail")]

mod access;
mod api;
mod authorisation;
mod batch;
mod bounds;
mod bundles;
mod cache;
mod clients;
mod comparisons;
mod contract;
mod damage;
mod engine;
mod erasures;
mod fixture;
mod goals;
mod goals_property;
mod injection;
mod ledger;
mod limits;
mod metrics;
mod openapi;
mod operator;
mod owasp;
mod pages;
mod property;
mod recipes;
mod regions;
mod revisions;
#[path = "../support/rolled.rs"]
mod rolled;
mod rollups;
mod runs;
#[path = "../support/sealed.rs"]
mod sealed;
mod served;
mod sessions;
mod settings;
mod spans;
mod tables;
mod v1;
