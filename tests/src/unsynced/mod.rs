//! A disk that forgets at a power cut what was not synced: a file system in memory that keeps two pictures, what programs see and what is safe.
//!
//! The model, which is what a journalling file system on an honest disk promises and no more:
//! - **Content.** Bytes written to a file, and its size, are safe once `fsync`, `fdatasync` or `O_SYNC`/`O_DSYNC` said so; page by page (4 KiB).
//! - **Names.** Creating, renaming, linking and removing are safe once the folder was synced. With [`Names::Journalled`], as ext4, XFS and btrfs
//!   keep it, syncing a file also makes the names safe that lead to it; with [`Names::Strict`], as POSIX has it, it does not.
//! - **A cut.** With [`Survival::Synced`] exactly what is safe is left. With [`Survival::Chance`] the disk had begun to write back the rest, in any
//!   order: each unsynced page is there or not, each size is the old or the new one, and the names are all as they were or all as synced.
//! - Modes, owners and times are always safe: nothing of ours depends on them.
//!
//! A rename is never seen half. Nothing that was synced is ever damaged: torn sectors and lying disks are other faults.

mod content;
mod disk;
#[cfg(target_os = "linux")]
mod mounted;
#[cfg(target_os = "linux")]
mod serve;

pub use content::PAGE_BYTES;
pub use disk::{Disk, Lost, Names, Survival};
#[cfg(target_os = "linux")]
pub use mounted::UnsyncedDisk;
