//! Runs the scripts of `tests/browser/`, which drive a Chromium.

use crate::chromium;
use crate::weir::repository;
use anyhow::{Context as _, Result, ensure};
use std::process::{Command, Stdio};

/// Runs one with what it needs in its environment and returns what it printed; a script that fails is an error that shows it.
pub async fn run(script: &str, environment: &[(&str, &str)]) -> Result<String> {
    let screenshots = repository().join("target/screenshots");
    std::fs::create_dir_all(&screenshots)?;
    let mut node = Command::new("node");
    node.arg(repository().join("tests/browser").join(script))
        .env("CHROMIUM", chromium::find()?)
        .env("SCREENSHOTS", &screenshots)
        .envs(environment.iter().copied())
        .stdin(Stdio::null());
    let output =
        tokio::task::spawn_blocking(move || node.output()).await?.context("node drives the browser: install Node 20 or later")?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    ensure!(output.status.success(), "{script}: {}\n{said}", output.status);
    Ok(said)
}
