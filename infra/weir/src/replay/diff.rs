//! `weir replay diff`: the shadow compared with what is served.

use super::{name, replayer, report};
use crate::cli::DiffOptions;
use crate::human;
use crate::output::{self, Output};
use crate::session::Session;
use crate::sites;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::process::ExitCode;
use weir_aggregator::replay::diff::{Options, Report};
use weir_aggregator::replay::{ReplayError, Status};
use weir_reader::replays::Phase;

/// Prints the differences; the exit status tells whether there are any.
pub(crate) async fn diff(session: &Session, options: &DiffOptions, output: Output) -> Result<ExitCode> {
    let site_id = match &options.site {
        Some(domain) => Some(sites::require(session, domain).await?.id),
        None => None,
    };
    let replayer = replayer(session)?;
    let status = replayer.status().await?.ok_or(ReplayError::None)?;
    let mut report = replayer.diff(&Options { limit: options.limit as usize, site_id }).await?;
    if report.partitions.iter().all(|one| one.through_seq < one.from_seq) {
        bail!("there is nothing to compare yet: `weir replay run` builds the shadow");
    }
    name_sites(&mut report, &sites::all(session).await?.into_iter().map(|site| (site.id, site.domain)).collect());
    let mut lines = report::text(&report);
    lines.extend(unfinished(&status));
    lines.push(format!("next: {}", next(status.phase, report.equal)));
    output::unless_closed(output.result(&report, &lines.join("\n")))?;
    Ok(output::compared(report.equal))
}

/// Fills in the domains of the sites. One that is no longer known keeps its number alone.
fn name_sites(report: &mut Report, domains: &BTreeMap<u32, String>) {
    let totals = report.totals.iter_mut().map(|one| (one.site_id, &mut one.site));
    let values = report.values.iter_mut().map(|one| (one.site_id, &mut one.site));
    let differences = report.differences.iter_mut().map(|one| (one.change.site_id, &mut one.change.site));
    for (id, site) in totals.chain(values).chain(differences) {
        *site = domains.get(&id).cloned();
    }
}

/// What of the shadow is still missing.
fn unfinished(status: &Status) -> Vec<String> {
    if status.phase != Phase::Building {
        return Vec::new();
    }
    let missing = status.partitions.iter().filter(|one| one.shadow_seq.is_none_or(|seq| seq < one.served_seq));
    missing
        .map(|one| {
            let (name, reached) = (name(&one.region, one.partition), human::count(one.shadow_seq.unwrap_or(0)));
            format!("not compared: {name} after sequence {reached}, where the shadow is not built yet")
        })
        .collect()
}

fn next(phase: Phase, is_equal: bool) -> &'static str {
    match (phase, is_equal) {
        (Phase::Building, _) => "`weir replay run` goes on with the shadow, `weir replay discard` gives it up",
        (Phase::Promoted, _) => "the shadow is what is served; `weir replay rollback` takes that back",
        (_, true) => "`weir replay discard` gives the shadow up; promoting it would only choose the logic of what is yet to come",
        (_, false) => "`weir replay promote` serves the shadow, `weir replay discard` gives it up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_named_by_their_domains() {
        let sites = |report: &Report| {
            let (value, difference) = (report.values[0].site.clone(), report.differences[0].change.site.clone());
            [report.totals[0].site.clone(), value, difference]
        };
        let mut report = report::tests::example();
        name_sites(&mut report, &BTreeMap::from([(1, "blog.example".to_owned())]));
        assert_eq!(sites(&report), ["blog.example"; 3].map(|domain| Some(domain.to_owned())));
        name_sites(&mut report, &BTreeMap::new());
        assert_eq!(sites(&report), [None, None, None]);
        assert!(report::text(&report).join("\n").contains("  site 1  visits"));
    }

    #[test]
    fn what_is_missing_and_what_is_next() {
        let example = super::super::status::tests::example;
        let text = unfinished(&example(Phase::Building));
        assert_eq!(text.len(), 2);
        assert_eq!(text[0], "not compared: local.0 after sequence 1,999, where the shadow is not built yet");
        assert!(unfinished(&example(Phase::Built)).is_empty());
        for (phase, is_equal, expected) in [
            (Phase::Building, true, "weir replay run"),
            (Phase::Built, false, "weir replay promote"),
            (Phase::Built, true, "weir replay discard"),
            (Phase::Promoted, true, "weir replay rollback"),
        ] {
            assert!(next(phase, is_equal).contains(expected), "{phase:?}");
        }
    }
}
