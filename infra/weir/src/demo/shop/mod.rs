//! The demo's second site: a small shop for tea with weeks of history, goals, revenue and visitors of this moment.

mod catalogue;
mod chance;
mod defined;
mod history;
mod live;
mod people;
mod rhythm;
mod visit;

pub(super) use visit::DOMAIN;

use crate::import::{self, Format, Shown, Source};
use crate::session::{Session, now_ms};
use crate::sites;
use anyhow::{Context as _, Result};
use history::Stretch;
use tokio_util::sync::CancellationToken;
use weir_event::site::Site;

/// The file of the history; it is removed when it was imported.
const FILE: &str = ".work/demo-shop.ndjson";

/// Adds the site where it is missing, with what is defined for it.
pub(super) async fn add(session: &Session) -> Result<Site> {
    let site = match sites::find(session, DOMAIN).await? {
        Some(site) => site,
        None => sites::create(session, DOMAIN, rhythm::TIMEZONE, None).await?,
    };
    defined::store(session, &site).await?;
    Ok(site)
}

/// Imports the weeks before, or what is missing of them. Says how many events that were.
pub(super) async fn import_history(session: &Session, site: &Site) -> Result<u64> {
    let stretch = Stretch::wanted(&session.home, now_ms())?;
    let lines = tokio::task::spawn_blocking(move || stretch.lines()).await??;
    let file = session.home.path(FILE);
    std::fs::write(&file, lines).with_context(|| format!("cannot write {}", file.display()))?;
    let source = Source { file: file.clone(), format: Format::Ndjson, shift_days: 0 };
    let tally = import::run(session, site, &source, Shown::Nothing).await?;
    if let Some(reason) = tally.refused.keys().next() {
        tracing::warn!(reason, "lines of the demo's history were refused");
    }
    stretch.done(&session.home)?;
    std::fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    Ok(tally.taken)
}

/// Sends live visitors until the end.
pub(super) async fn send(session: &Session, ended: &CancellationToken) -> Result<()> {
    live::send(session, ended).await
}
