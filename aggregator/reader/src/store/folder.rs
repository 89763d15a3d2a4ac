//! Files of the store where it is a folder of this machine.

use std::path::Path;

/// Moves a file so that it is whole and in its place after a power failure. Blocks.
pub(super) fn move_durably(file: &Path, target: &Path, root: &Path) -> std::io::Result<()> {
    std::fs::File::open(file)?.sync_all()?;
    let folder = target.parent().unwrap_or(root);
    if !folder.is_dir() {
        std::fs::create_dir_all(folder)?;
        // The new folders' own entries must survive too.
        for above in folder.ancestors().skip(1).take_while(|above| above.starts_with(root)) {
            std::fs::File::open(above)?.sync_all()?;
        }
    }
    std::fs::rename(file, target)?;
    std::fs::File::open(folder)?.sync_all()
}
