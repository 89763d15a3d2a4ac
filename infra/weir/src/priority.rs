//! Work that can wait: at a low priority, so that live ingestion has the processor.

/// Lowers the priority of this process to a niceness, 0–19. Called before threads are started: they take it over.
pub(crate) fn lower(nice: u8) {
    if let Err(error) = rustix::process::setpriority_process(None, i32::from(nice)) {
        // It only takes longer for others then.
        tracing::debug!(%error, "the priority cannot be lowered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_and_those_that_it_starts_get_the_priority() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let lowered = std::thread::spawn(move || {
            lower(19);
            (priority(), std::thread::spawn(priority).join().unwrap())
        });
        assert_eq!(lowered.join().unwrap(), (19, 19));
    }
}
