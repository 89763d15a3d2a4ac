//! `weir delete`: asks for data to be forgotten, and shows what became of it.

mod receipts;
mod retention;

pub(crate) use receipts::status;
pub(crate) use retention::{set as set_retention, show as show_retention};

use crate::cli::DeleteOptions;
use crate::output::{Output, Usage};
use crate::session::{Session, now_ms};
use crate::{consent, human, sites};
use anyhow::{Context as _, Result};
use serde::Serialize;
use weir_aggregator::affected::{Affected, affected};
use weir_event::model::{ControlKind, DeleteSite, DeleteVisitor};
use weir_event::site::Site;
use weir_reader::control::{definitions, erasures, keys, sites as control};
use weir_reader::{heads, manifests};
use weir_rollup::manifest::{Erasure, Manifest};

/// What the command says.
#[derive(Debug, Serialize)]
struct Deletion {
    site_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    visitor_id: Option<String>,
    dry_run: bool,
    /// Sealed so far.
    rows: u64,
    parts: u64,
    archive_objects: u64,
    /// Ids of the receipts, one for each partition that was asked.
    receipts: Vec<String>,
}

/// Forgets a site.
pub(crate) async fn site(session: &Session, name: &str, events_only: bool, how: DeleteOptions, output: Output) -> Result<()> {
    let found = if let Ok(number) = name.parse::<u32>() {
        (number, None)
    } else {
        let site = sites::require(session, name).await?;
        (site.id, Some(site))
    };
    let (site_id, site) = found;
    if site_id == 0 {
        return Err(Usage("there is no site 0".to_owned()).into());
    }
    let kind = ControlKind::DeleteSite(DeleteSite { site_id });
    let what = site.as_ref().map_or_else(|| format!("site number {site_id}"), |site| format!("site {}", site.domain));
    let goes = if events_only || site.is_none() { "its events" } else { "its events, record, keys, shared links and goals" };
    let question = format!("Delete {what}: {goes}? It cannot be undone.");
    let partitions = partitions(session, site.as_ref())?;
    let deletion = delete(session, (site_id, site.as_ref(), None), &partitions, kind, how, &question).await?;
    if let Some(site) = site.filter(|_| !how.dry_run && !events_only) {
        forget_records(session, &site).await?;
    }
    tell(&deletion, &what, output)
}

/// Forgets a visitor.
pub(crate) async fn visitor(session: &Session, name: &str, visitor: &str, how: DeleteOptions, output: Output) -> Result<()> {
    let visitor_id = visitor_id(visitor)?;
    let site = sites::require(session, name).await?;
    let kind = ControlKind::DeleteVisitor(DeleteVisitor { site_id: site.id, visitor_id });
    let what = format!("visitor {visitor_id:016x} of site {}", site.domain);
    let question = format!("Delete all events of {what}? It cannot be undone.");
    let whose = (site.id, Some(&site), Some(visitor_id));
    let deletion = delete(session, whose, &[site.partition], kind, how, &question).await?;
    tell(&deletion, &what, output)
}

/// The partition of a site; of a removed one it is not known.
fn partitions(session: &Session, site: Option<&Site>) -> Result<Vec<u32>> {
    site.map_or_else(|| session.partitions(None), |site| Ok(vec![site.partition]))
}

/// 16 hex digits or a decimal number.
fn visitor_id(text: &str) -> Result<u64> {
    let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let parsed = if is_hex { u64::from_str_radix(text, 16).ok() } else { text.parse().ok() };
    parsed.ok_or_else(|| Usage(format!("{text} is no visitor id: it has 16 hex digits, or is a decimal number")).into())
}

async fn delete(
    session: &Session,
    (site_id, site, visitor_id): (u32, Option<&Site>, Option<u64>),
    partitions: &[u32],
    kind: ControlKind,
    how: DeleteOptions,
    question: &str,
) -> Result<Deletion> {
    if !how.dry_run && !how.yes {
        consent::can_be_asked("delete")?;
    }
    let everything = Erasure { seq: u64::MAX, site_id, visitor_id, ..Erasure::new(String::new(), 0) };
    let found = count(session, partitions, &everything).await?;
    if !how.dry_run && !how.yes {
        consent::require(&format!("{}\n{question}", found_text(&found))).await?;
    }
    let mut receipts = Vec::new();
    for partition in partitions.iter().filter(|_| !how.dry_run) {
        let asked = erasures::ask(&session.jetstream, &session.run.region, *partition, kind.clone(), now_ms()).await;
        receipts.push(asked.with_context(|| format!("partition {partition} could not be asked"))?.id);
    }
    Ok(Deletion {
        site_id,
        site: site.map(|site| site.domain.clone()),
        visitor_id: visitor_id.map(|id| format!("{id:016x}")),
        dry_run: how.dry_run,
        rows: found.rows,
        parts: found.parts,
        archive_objects: found.archive_objects,
        receipts,
    })
}

/// What the served files have of an erasure.
async fn count(session: &Session, partitions: &[u32], erasure: &Erasure) -> Result<Affected> {
    let (store, mut sum) = (session.store()?, Affected::default());
    for partition in partitions {
        let Some(manifest) = served(session, *partition).await? else { continue };
        sum.add(affected(&store, &manifest, erasure).await?);
    }
    Ok(sum)
}

/// What a partition serves.
async fn served(session: &Session, partition: u32) -> Result<Option<Manifest>> {
    let Some(entry) = heads::get(&session.jetstream, &session.run.region, partition).await? else { return Ok(None) };
    Ok(Some(manifests::load(&session.store()?, &entry.head).await?))
}

/// Forgets what a site is known by: the edge takes no more events, readers find nothing.
async fn forget_records(session: &Session, site: &Site) -> Result<()> {
    keys::remove_of_site(&session.jetstream, site.id).await.context("keys of the site could not be deleted")?;
    control::remove(&session.jetstream, &site.domain).await.context("the site's record could not be removed")?;
    definitions::remove::<std::convert::Infallible>(&session.jetstream, site.id)
        .await
        .context("goals and links of the site could not be removed")?;
    Ok(())
}

fn found_text(found: &Affected) -> String {
    format!(
        "{} in {}, {}",
        human::counted(found.rows, "sealed row"),
        human::counted(found.parts, "file"),
        human::counted(found.archive_objects, "archive object")
    )
}

fn tell(deletion: &Deletion, what: &str, output: Output) -> Result<()> {
    let Deletion { rows, parts, archive_objects, .. } = *deletion;
    let found = found_text(&Affected { rows, parts, archive_objects });
    let text = if deletion.dry_run {
        format!("{what}: {found} would be rewritten or dropped; nothing was changed")
    } else {
        format!(
            "{what}: hidden from now on ({found}). Receipt: {}; `weir delete status` shows when nothing of it is kept any more",
            deletion.receipts.join(" ")
        )
    };
    output.result(deletion, &text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_visitor_is_named_in_hex_or_decimal() {
        for (text, expected) in [
            ("00000000000000ff", Some(255)),
            ("FFFFFFFFFFFFFFFF", Some(u64::MAX)),
            ("255", Some(255)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("ff", None),
            ("", None),
            ("-1", None),
        ] {
            assert_eq!(visitor_id(text).ok(), expected, "{text}");
        }
    }
}
