//! Accounts: who owns sites. Bucket `WEIR_ACCOUNTS`, key `account.<id>`.

use super::{ChangeError, Stored, change, list, random};
use crate::error::ReaderError;
use async_nats::jetstream::Context;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use weir_event::subject::ACCOUNTS_BUCKET;

/// Longest name, bytes.
pub const NAME_BYTES_MAX: usize = 200;
/// Random characters of an id.
const ID_CHARS: usize = 12;

/// Who owns sites.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id, `acc_` and 12 letters and digits; never changes.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// When it was added, Unix milliseconds.
    pub created_ms: u64,
}

/// Why an account cannot be added.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AccountError {
    /// The name is blank or too long.
    #[error("an account's name has 1 to {NAME_BYTES_MAX} bytes")]
    Name,
    /// Two random ids were the same.
    #[error("the id is taken: try again")]
    Taken,
}

/// Key of an account in its bucket.
pub fn key(id: &str) -> String {
    format!("account.{id}")
}

/// Adds an account. Names need not differ.
pub async fn add(jetstream: &Context, name: &str, now_ms: u64) -> Result<Account, ChangeError<AccountError>> {
    let name = name.trim();
    if name.is_empty() || name.len() > NAME_BYTES_MAX {
        return Err(ChangeError::Refused(AccountError::Name));
    }
    let account = Account { id: format!("acc_{}", random::text(ID_CHARS)?), name: name.to_owned(), created_ms: now_ms };
    let stored: Stored<Account> =
        change(jetstream, ACCOUNTS_BUCKET, &key(&account.id), |current: Option<Account>| match current {
            None => Ok(Some(account.clone())),
            Some(current) if current == account => Ok(Some(current)),
            Some(_) => Err(AccountError::Taken),
        })
        .await?;
    Ok(stored.value.unwrap_or(account))
}

/// All accounts, oldest first.
pub async fn all(jetstream: &Context) -> Result<Vec<Account>, ReaderError> {
    let mut accounts: Vec<Account> =
        list(jetstream, ACCOUNTS_BUCKET, "account.>").await?.into_iter().map(|(_, account)| account).collect();
    accounts.sort_by(|one, other| (one.created_ms, &one.id).cmp(&(other.created_ms, &other.id)));
    Ok(accounts)
}
