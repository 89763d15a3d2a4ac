//! What every reader of a region needs: partition streams in order, heads, manifests, control buckets, the object store.

pub mod archive;
mod backoff;
pub mod buckets;
pub mod connect;
pub mod control;
pub mod definitions;
pub mod error;
pub mod heads;
pub mod history;
mod lonely;
pub mod manifests;
mod pull;
pub mod replays;
pub mod rules;
pub mod standing;
pub mod states;
pub mod store;
pub mod stream;

pub use connect::{NatsConfig, connect, jetstream};
pub use error::ReaderError;
