//! `weir backup`: the control plane and what the files' lists need, in one file; and the way back, also behind a stream that was made anew.
//!
//! A backup holds the buckets of sites, accounts, definitions, keys (hashes), heads and replays, and the manifests, states and rules that the heads
//! name. It holds no events: parts and archive lie in the object store, which has its own copies. It holds no salts: they must not outlive two days.

mod create;
mod format;
mod newest;
mod restore;
mod stream;

pub(crate) use create::create;
pub(crate) use restore::{Wanted, restore};

use weir_event::subject::{ACCOUNTS_BUCKET, DEFINITIONS_BUCKET, HEADS_BUCKET, KEYS_BUCKET, REPLAY_BUCKET, SITES_BUCKET};

/// The buckets that are kept, heads last: what they refer to is there before.
const BUCKETS: [&str; 6] = [ACCOUNTS_BUCKET, SITES_BUCKET, DEFINITIONS_BUCKET, KEYS_BUCKET, REPLAY_BUCKET, HEADS_BUCKET];
/// End of the names of backups in a folder.
const SUFFIX: &str = ".weir-backup";
