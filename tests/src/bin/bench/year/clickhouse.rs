//! ClickHouse on the same events, as `chdb` in a Python process.

use super::parts::{self, Partition};
use super::set::Span;
use super::traffic;
use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// The process.
pub(crate) struct ClickHouse {
    child: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drop for ClickHouse {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// What a query took and found.
pub(crate) struct Found {
    pub(crate) rows: Vec<Value>,
    pub(crate) cpu_ms: f64,
    pub(crate) ms: f64,
}

/// Where its files are.
pub(crate) fn folder() -> PathBuf {
    parts::folder().join("clickhouse")
}

impl ClickHouse {
    /// Starts it with the interpreter that has `chdb`; loads the events of all parts where the folder has none.
    pub(crate) fn start(python: &str, partitions: &[Partition]) -> Result<Self> {
        let script = weir_tests::weir::repository().join("tests/clickhouse.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {python}"))?;
        let questions = child.stdin.take().context("no input")?;
        let answers = BufReader::new(child.stdout.take().context("no output")?);
        let mut started = Self { child, questions, answers };
        let found = started.tell(&json!({"load": exports(partitions)?}))?;
        let rows: u64 =
            partitions.iter().flat_map(|partition| partition.parts.iter().chain([&partition.live])).map(|part| part.rows).sum();
        // Bots are left out there, as Plausible does not keep them.
        ensure!(found["events"].as_u64().is_some_and(|events| events <= rows && events * 10 > rows * 9), "{found} of {rows}");
        Ok(started)
    }

    fn tell(&mut self, line: &Value) -> Result<Value> {
        writeln!(self.questions, "{line}")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        let answer: Value = serde_json::from_str(&answer).context("the process with chdb ended")?;
        ensure!(answer["error"].is_null(), "{line}: {}", answer["error"]);
        Ok(answer)
    }

    /// Runs a question of a site over a span.
    pub(crate) fn ask(&mut self, sql: &str, site_id: u32, span: Span, limit: u64) -> Result<Found> {
        let zone = traffic::zone(site_id);
        let from = format!("toDateTime64('{} 00:00:00', 3, '{zone}')", span.from);
        let to = format!("(toDateTime64('{} 00:00:00', 3, '{zone}') + toIntervalDay(1))", span.to);
        let sql = sql
            .replace("{events}", "bench.events WHERE site_id = {site} AND timestamp >= {from} AND timestamp < {to} AND name != 'engagement'")
            .replace("{sessions}", "bench.sessions WHERE site_id = {site} AND start < {to} AND start >= {from} - toIntervalDay(2) AND last >= {from}")
            .replace("{site}", &site_id.to_string())
            .replace("{from}", &from)
            .replace("{to}", &to)
            .replace("{zone}", zone)
            .replace("{limit}", &limit.to_string());
        let answer = self.tell(&json!({"sql": sql}))?;
        let number = |key: &str| answer[key].as_f64().unwrap_or_default();
        Ok(Found { rows: answer["rows"].as_array().cloned().unwrap_or_default(), cpu_ms: number("cpu_ms"), ms: number("ms") })
    }
}

/// The events of each partition as a Parquet file, written where it is not there yet.
fn exports(partitions: &[Partition]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for (number, partition) in partitions.iter().enumerate() {
        let file = parts::folder().join(format!("events-{number}.parquet"));
        if !file.exists() {
            let connection = duckdb::Connection::open_in_memory()?;
            let mut union = Vec::new();
            for (index, part) in partition.parts.iter().chain([&partition.live]).enumerate() {
                let path = parts::folder().join("files").join(&part.name);
                connection.execute_batch(&format!("ATTACH '{}' AS p{index} (READ_ONLY)", path.display()))?;
                union.push(format!("SELECT * FROM p{index}.events WHERE bot = 0"));
            }
            let half = file.with_extension("half");
            connection.execute_batch(&format!(
                "COPY ({}) TO '{}' (FORMAT parquet)",
                union.join(" UNION ALL "),
                half.display()
            ))?;
            std::fs::rename(half, &file)?;
        }
        files.push(file);
    }
    Ok(files)
}
