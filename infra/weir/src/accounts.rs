//! `weir account`: who owns sites.

use crate::output::Output;
use crate::session::{Session, now_ms};
use anyhow::{Context as _, Result};
use weir_reader::control::accounts::{self, Account};

/// Adds an account and says its id.
pub(crate) async fn add(session: &Session, name: &str, output: Output) -> Result<()> {
    let account = accounts::add(&session.jetstream, name, now_ms()).await.context("the account was not added")?;
    let text = format!("account {} added: give it sites with `weir site add DOMAIN --account {}`", account.id, account.id);
    output.result(&account, &text)
}

/// Lists the accounts, oldest first.
pub(crate) async fn list(session: &Session, output: Output) -> Result<()> {
    let accounts = accounts::all(&session.jetstream).await?;
    let lines: Vec<String> = accounts.iter().map(|account| format!("{:<18} {}", account.id, account.name)).collect();
    let text =
        if lines.is_empty() { "no accounts yet: add one with `weir account add NAME`".to_owned() } else { lines.join("\n") };
    output.result(&accounts, &text)
}

/// The account of an id, which must be there.
pub(crate) async fn require(session: &Session, id: &str) -> Result<Account> {
    let accounts = accounts::all(&session.jetstream).await?;
    accounts
        .into_iter()
        .find(|account| account.id == id)
        .with_context(|| format!("there is no account {id}: `weir account list` shows the ids"))
}
