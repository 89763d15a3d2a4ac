//! `weir rules`: which rules give visits their attributes, and how two sets of them differ.

mod diff;
mod folder;
mod show;
mod which;

pub(crate) use diff::diff;
pub(crate) use folder::read as read_folder;
pub(crate) use show::show;
