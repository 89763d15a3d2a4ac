//! Work that can wait: at the lowest priority, so that live ingestion has the processor.

/// The highest niceness, the lowest priority.
const NICE: i32 = 19;

/// Lowers the priority of this process. Called before threads are started: they take it over.
pub(crate) fn lower() {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        // It only takes longer for others then.
        tracing::debug!(%error, "the priority cannot be lowered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_and_those_that_it_starts_get_the_lowest_priority() {
        let priority = || rustix::process::getpriority_process(None).unwrap();
        let lowered = std::thread::spawn(move || {
            lower();
            (priority(), std::thread::spawn(priority).join().unwrap())
        });
        assert_eq!(lowered.join().unwrap(), (NICE, NICE));
    }
}
