//! `weir replay`: history made anew beside what is served, compared, and put in its place.

mod diff;
mod ndjson;
mod plan;
mod progress;
mod repair;
mod report;
mod run;
mod status;
mod switch;

pub(crate) use diff::diff;
pub(crate) use ndjson::to_ndjson;
pub(crate) use plan::plan;
pub(crate) use repair::repair;
pub(crate) use run::run;
pub(crate) use status::status;
pub(crate) use switch::{discard, promote, rollback};

use crate::cli::WantedOptions;
use crate::rules;
use crate::session::Session;
use anyhow::{Context as _, Result};
use weir_aggregator::replay::{Logic, Replayer, Settings, Start, Wanted};

/// What the library needs to know of the running system.
fn settings(session: &Session) -> Result<Settings> {
    let partitions = session.partitions(None)?;
    let settings = Settings::new(session.client.clone(), &session.run.region, partitions, session.home.root());
    Ok(Settings { files: session.store_config()?, ..settings })
}

fn replayer(session: &Session) -> Result<Replayer> {
    Ok(Replayer::open(settings(session)?)?)
}

/// What the options ask for.
async fn wanted(session: &Session, start: Start, options: &WantedOptions) -> Result<Wanted> {
    session.partitions(options.partition)?;
    Ok(Wanted { start, partition: options.partition, logic: logic(options).await? })
}

/// The logic that the options ask for.
async fn logic(options: &WantedOptions) -> Result<Logic> {
    Ok(match &options.rules {
        Some(folder) => {
            let folder = folder.clone();
            let read = tokio::task::spawn_blocking(move || rules::read_folder(&folder));
            Logic::Given(read.await.context("reading the folder of rules failed")??)
        }
        None if options.built_in => Logic::BuiltIn,
        None => Logic::Unchanged,
    })
}

/// A logic version, or that there is none of one's own, for people.
fn logic_text(logic: Option<&str>) -> String {
    match logic {
        Some(logic) => format!("logic {logic}"),
        None => "the logic that each event had before".to_owned(),
    }
}

/// That partitions are left out though they were not excluded: they have nothing in files yet; what comes there first is folded with the promoted rules.
fn left_out(session: &Session, only: Option<u32>, covered: &[u32]) -> Result<Option<String>> {
    let missing = session.partitions(only)?.into_iter().filter(|partition| !covered.contains(partition));
    let names: Vec<String> = missing.map(|partition| name(&session.run.region, partition)).collect();
    Ok((!names.is_empty())
        .then(|| format!("left out: {}, with nothing in files yet; a promotion holds there too", names.join(", "))))
}

/// A partition's name.
fn name(region: &str, partition: u32) -> String {
    format!("{region}.{partition}")
}
