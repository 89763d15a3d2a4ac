//! Debian's Prometheus with the alert rules of `infra/monitoring`, asking the programs of a test.

use crate::debian;
use crate::haproxy::free_port;
use crate::poll::{Look, soft, until};
use crate::weir::{client, repository};
use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// One program to ask.
pub struct Target<'a> {
    /// Name of its job.
    pub job: &'a str,
    /// Its address, as a URL without path.
    pub url: &'a str,
    /// Where its numbers are.
    pub path: &'a str,
    /// What it wants to be shown.
    pub token: Option<&'a str>,
}

/// A running Prometheus, ended on drop.
pub struct Prometheus {
    child: Child,
    url: String,
    client: reqwest::Client,
    folder: TempDir,
}

impl Prometheus {
    /// Starts one that asks these programs every second, and waits until it is ready.
    pub async fn start(targets: &[Target<'_>]) -> Result<Self> {
        let program = tokio::task::spawn_blocking(|| debian::program("PROMETHEUS", "prometheus", "prometheus")).await??;
        let folder = tempfile::tempdir()?;
        let jobs = targets.iter().map(|target| {
            let address = target.url.trim_start_matches("http://");
            let mut job =
                json!({"job_name": target.job, "metrics_path": target.path, "static_configs": [{"targets": [address]}]});
            if let Some(token) = target.token {
                job["authorization"] = json!({"credentials": token});
            }
            job
        });
        let config = json!({
            "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
            "rule_files": [repository().join("infra/monitoring/rules/*.yml")],
            "scrape_configs": jobs.collect::<Vec<_>>(),
        });
        // JSON is YAML.
        let file = folder.path().join("prometheus.yml");
        std::fs::write(&file, config.to_string())?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let log = std::fs::File::create(folder.path().join("log"))?;
        let child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .context("cannot start prometheus")?;
        let mut prometheus = Self { child, url: format!("http://{address}"), client: client()?, folder };
        until("Prometheus ready", Duration::from_secs(20), async || {
            if let Some(status) = prometheus.child.try_wait()? {
                bail!("prometheus ended with {status}:\n{}", prometheus.log());
            }
            let answer = prometheus.client.get(format!("{}/-/ready", prometheus.url)).send().await;
            Ok(soft(answer.map_err(Into::into).map(|answer| match answer.status().as_u16() {
                200 => Look::Done(()),
                other => Look::NotYet(format!("/-/ready answers {other}")),
            })))
        })
        .await?;
        Ok(prometheus)
    }

    /// What a question gives.
    pub async fn query(&self, expression: &str) -> Result<Vec<Value>> {
        let body = self.get("query", &[("query", expression)]).await?;
        Ok(body["result"].as_array().cloned().unwrap_or_default())
    }

    /// All rules, as they went last.
    pub async fn rules(&self) -> Result<Vec<Value>> {
        let body = self.get("rules", &[]).await?;
        let groups = body["groups"].as_array().cloned().unwrap_or_default();
        Ok(groups.iter().flat_map(|group| group["rules"].as_array().cloned().unwrap_or_default()).collect())
    }

    async fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Value> {
        let answer = self.client.get(format!("{}/api/v1/{path}", self.url)).query(query).send().await?;
        let body: Value = answer.json().await?;
        ensure!(body["status"] == "success", "{query:?}: {body}\n{}", self.log());
        Ok(body["data"].clone())
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
