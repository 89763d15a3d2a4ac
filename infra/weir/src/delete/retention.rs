//! `weir retention`: how long events are kept, of all sites and of single ones.

use super::{count, found_text};
use crate::cli::DeleteOptions;
use crate::output::Output;
use crate::session::{Session, now_ms};
use crate::{consent, sites};
use anyhow::{Context as _, Result};
use serde::Serialize;
use serde_json::json;
use weir_aggregator::affected::Affected;
use weir_reader::control::retention::{self, Retention};
use weir_rollup::manifest::Erasure;

#[derive(Debug, Serialize)]
struct OfSite {
    site: String,
    days: u32,
}

/// Shows what holds.
pub(crate) async fn show(session: &Session, output: Output) -> Result<()> {
    let days = retention::overall(&session.jetstream).await?;
    let chosen = sites::all(session).await?.into_iter().filter(|site| site.settings.retention_days > 0);
    let chosen: Vec<OfSite> = chosen.map(|site| OfSite { days: site.settings.retention_days, site: site.domain }).collect();
    let mut lines = vec![format!("all sites: {}", kept(days))];
    lines.extend(chosen.iter().map(|one| format!("{}: {}", one.site, kept(one.days))));
    output.result(&json!({ "days": days, "sites": chosen }), &lines.join("\n"))
}

fn kept(days: u32) -> String {
    if days == 0 { "events are kept for ever".to_owned() } else { format!("events are kept for {days} days") }
}

/// Sets it, for a site or for all.
pub(crate) async fn set(session: &Session, domain: Option<&str>, days: u32, how: DeleteOptions, output: Output) -> Result<()> {
    if !how.dry_run && !how.yes && days > 0 {
        consent::can_be_asked("forget what is older")?;
    }
    let site = match domain {
        Some(domain) => Some(sites::require(session, domain).await?),
        None => None,
    };
    let wanted = match &site {
        Some(site) => Retention { overall_days: 0, sites: vec![(site.id, days)] },
        None => Retention { overall_days: days, sites: Vec::new() },
    };
    let partitions = site.as_ref().map_or_else(|| session.partitions(None), |site| Ok(vec![site.partition]))?;
    let mut found = Affected::default();
    for (site_id, before_ms) in wanted.cutoffs(now_ms()) {
        let erasure = Erasure { seq: u64::MAX, ..Erasure::retention(site_id, before_ms, 0) };
        found.add(count(session, &partitions, &erasure).await?);
    }
    let whose = site.as_ref().map_or_else(|| "all sites".to_owned(), |site| site.domain.clone());
    let found_text = found_text(&found);
    if !how.dry_run {
        if !how.yes && days > 0 {
            consent::require(&format!("{found_text} are older.\n{whose}: keep events for {days} days?")).await?;
        }
        match &site {
            Some(site) => {
                sites::update(session, &site.domain, |site| {
                    site.settings.retention_days = days;
                    Ok(())
                })
                .await?;
            }
            None => retention::set_overall(&session.jetstream, days).await.context("the retention could not be stored")?,
        }
    }
    let text = format!(
        "{whose}: {}; {found_text} are older{}",
        kept(days),
        if how.dry_run { ", nothing was changed" } else { " and go within a day" }
    );
    let shown = json!({
        "site": site.map(|site| site.domain), "days": days, "dry_run": how.dry_run,
        "rows": found.rows, "parts": found.parts, "archive_objects": found.archive_objects,
    });
    output.result(&shown, &text)
}
