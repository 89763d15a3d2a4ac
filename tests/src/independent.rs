//! The access log as an independent program counts it.

use crate::weir::{fixture, repository};
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::io::Write as _;
use std::process::{Command, Stdio};

/// What the independent program makes of the access log. It shares only the asset suffixes and the bot patterns.
pub fn count() -> Result<Value> {
    let rules = repository().join("aggregator/rollup/rules");
    let mut patterns: Vec<String> = serde_json::from_str(&std::fs::read_to_string(rules.join("crawlers.json"))?)?;
    let own: toml::Table = std::fs::read_to_string(rules.join("bots.toml"))?.parse()?;
    patterns.extend(own["patterns"].as_array().into_iter().flatten().filter_map(|pattern| pattern.as_str().map(str::to_owned)));
    let lists = json!({"asset_suffixes": weir_event::log::ASSET_SUFFIXES, "bot_patterns": patterns});
    let mut counter = Command::new("python3")
        .arg(fixture("count_access_log.py"))
        .arg(fixture("access.log"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("python3 counts the log for comparison: install it")?;
    counter.stdin.take().context("no stdin")?.write_all(lists.to_string().as_bytes())?;
    let output = counter.wait_with_output()?;
    ensure!(output.status.success(), "count_access_log.py: {}", output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}
