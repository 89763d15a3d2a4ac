//! Asking whether what cannot be undone is meant.

use crate::output::Usage;
use anyhow::{Context as _, Result, bail};
use std::io::{IsTerminal as _, Write as _};

/// Fails without a terminal: nobody can be asked there, only `--yes` will do.
pub(crate) fn can_be_asked(what: &str) -> Result<()> {
    if std::io::stdin().is_terminal() && std::io::stderr().is_terminal() {
        return Ok(());
    }
    Err(Usage(format!("nobody can be asked here whether to {what}: give --yes if it is meant")).into())
}

/// Asks, and fails unless the answer is yes.
pub(crate) async fn require(question: &str) -> Result<()> {
    if ask(format!("{question} [y/N] ")).await? { Ok(()) } else { bail!("not done: nothing was changed") }
}

/// Whether the answer is yes.
pub(crate) async fn ask(question: String) -> Result<bool> {
    let answer = tokio::task::spawn_blocking(move || {
        let mut stderr = std::io::stderr();
        write!(stderr, "{question}")?;
        stderr.flush()?;
        let mut answer = String::new();
        std::io::stdin().read_line(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    });
    Ok(is_yes(&answer.await.context("asking failed")??))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for (answer, expected) in [("y\n", true), (" YES ", true), ("", false), ("n", false), ("yes please", false)] {
            assert_eq!(is_yes(answer), expected, "{answer:?}");
        }
    }
}
