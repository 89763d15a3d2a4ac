//! Fold, visits, rules, part and manifest formats: what turns a stream of batches into rows, and the contract of the files.
//!
//! Pure: no clock, no I/O, no async; the same batches in the same order give the same rows, wherever flushes and files divide them.
//! The aggregator folds the stream into parts with this crate and the query API folds the live end with it, so that both agree.

pub mod archive;
pub mod columns;
pub mod erase;
pub mod fold;
pub mod ledger;
pub mod logic;
pub mod manifest;
pub mod merge;
pub mod part;
pub mod rollup;
pub mod row;
pub mod rules;
pub mod sweep;
