//! Whether a process still runs.

use nix::sys::signal::kill;
use nix::unistd::Pid;

/// Whether the process runs. One that has ended and only waits for its parent to notice does not.
pub(crate) fn is_alive(id: u32) -> bool {
    i32::try_from(id).is_ok_and(|pid| kill(Pid::from_raw(pid), None).is_ok()) && !is_zombie(id)
}

/// Known on Linux only; elsewhere the first process of the system takes ended ones away at once.
fn is_zombie(id: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The state follows the program's name, which may hold blanks and brackets.
    stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ended_child_is_not_alive_even_before_it_is_waited_for() {
        assert!(is_alive(std::process::id()));
        let mut child = std::process::Command::new("cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        assert!(is_alive(child.id()));
        // Its input ends, so it ends.
        drop(child.stdin.take());
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while cfg!(target_os = "linux") && is_alive(child.id()) {
            assert!(std::time::Instant::now() < deadline, "the child does not end");
            std::thread::yield_now();
        }
        child.wait().unwrap();
        assert!(!is_alive(child.id()));
    }
}
