//! What is set up: accounts, sites, keys, definitions. One record each, changed by compare-and-set, by the command line and by the query API alike.

pub mod accounts;
mod change;
pub mod definitions;
pub mod erasures;
pub mod home;
pub mod keys;
pub mod links;
pub mod names;
pub mod random;
pub mod retention;
pub mod shields;
pub mod sites;

pub use change::{ChangeError, Stored, change, list};
