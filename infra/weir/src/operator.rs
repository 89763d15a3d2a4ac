//! What operators do from the dashboard, done by this program's own commands, each as a process of its own: a replay takes memory and processors that
//! queries need, it can be stopped, and its end is no end of the query API.

use crate::home::Home;
use anyhow::{Context as _, Result, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;
use weir_query_api::operator::{Action, ActionError, Answered, OperatorActions, PlanRules, PlanStart, PlanWanted};

/// Folder of rules that came from the dashboard, in the home.
const RULES: &str = ".work/operator-rules";

/// This program's commands on one home.
pub(crate) struct Commands {
    program: PathBuf,
    home: Home,
}

impl Commands {
    /// Those on this home; `None` where the secrets that they need are not.
    pub(crate) fn on(home: &Home) -> Result<Option<Self>> {
        if !home.path("secrets.json").is_file() {
            return Ok(None);
        }
        let program = std::env::current_exe().context("cannot tell where the weir command lies")?;
        Ok(Some(Self { program, home: home.clone() }))
    }

    /// Runs a command to its end, or until it is told to stop; what it printed as JSON.
    async fn run(&self, arguments: Vec<OsString>, stop: &CancellationToken) -> Result<Value> {
        let mut command = Command::new(&self.program);
        command.arg("--json").args(&arguments).env("WEIR_HOME", self.home.root()).env("RUST_LOG", "error");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let child = command.spawn().context("the weir command cannot be started")?;
        let id = child.id();
        let ended = ended(child);
        tokio::pin!(ended);
        let (is_good, out, error) = tokio::select! {
            ended = &mut ended => ended?,
            () = stop.cancelled() => {
                interrupt(id);
                ended.await?
            }
        };
        answer(is_good, &out, &error)
    }

    async fn replay(&self, arguments: &[&str], stop: &CancellationToken) -> Result<Value> {
        self.run(std::iter::once("replay").chain(arguments.iter().copied()).map(OsString::from).collect(), stop).await
    }

    async fn plan(&self, wanted: PlanWanted, stop: &CancellationToken) -> Result<Value> {
        let mut arguments: Vec<OsString> = ["replay", "plan"].map(OsString::from).into();
        match wanted.start {
            PlanStart::Seq(seq) => arguments.extend(["--from-seq".into(), seq.to_string().into()]),
            PlanStart::Time(time) => arguments.extend(["--from-time".into(), time.into()]),
        }
        if let Some(partition) = wanted.partition {
            arguments.extend(["--partition".into(), partition.to_string().into()]);
        }
        match wanted.rules {
            PlanRules::Unchanged => {}
            PlanRules::BuiltIn => arguments.push("--built-in".into()),
            PlanRules::Files(files) => {
                let folder = self.home.path(RULES);
                let home = self.home.clone();
                tokio::task::spawn_blocking(move || write_rules(&home, &files)).await??;
                arguments.extend(["--rules".into(), folder.into()]);
            }
        }
        self.run(arguments, stop).await
    }

    async fn act(&self, action: Action, stop: &CancellationToken) -> Result<Value> {
        match action {
            Action::Plan(wanted) => self.plan(wanted, stop).await,
            Action::Run => self.replay(&["run"], stop).await,
            Action::Diff { site, limit } => {
                let limit = limit.to_string();
                let mut arguments = vec!["diff", "--limit", &limit];
                arguments.extend(site.iter().flat_map(|site| ["--site", site]));
                self.replay(&arguments, stop).await
            }
            Action::Promote => self.replay(&["promote", "--yes"], stop).await,
            Action::Rollback => self.replay(&["rollback", "--yes"], stop).await,
            Action::Discard => self.replay(&["discard", "--yes"], stop).await,
        }
    }
}

impl OperatorActions for Commands {
    fn status(&self) -> Answered<'_> {
        Box::pin(async { self.replay(&["status"], &CancellationToken::new()).await.map_err(|error| told(&error)) })
    }

    fn rejected(&self, limit: u32) -> Answered<'_> {
        Box::pin(async move {
            let arguments = ["rejected", "list", "--limit", &limit.to_string()].map(OsString::from).into();
            self.run(arguments, &CancellationToken::new()).await.map_err(|error| told(&error))
        })
    }

    fn perform(&self, action: Action, stop: CancellationToken) -> Answered<'_> {
        Box::pin(async move { self.act(action, &stop).await.map_err(|error| told(&error)) })
    }
}

fn told(error: &anyhow::Error) -> ActionError {
    ActionError(format!("{error:#}"))
}

async fn ended(child: Child) -> Result<(bool, String, String)> {
    let output = child.wait_with_output().await.context("the weir command cannot be waited for")?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((output.status.success(), text(&output.stdout), text(&output.stderr)))
}

/// As Ctrl-C does: what was committed stays, to be gone on with.
fn interrupt(id: Option<u32>) {
    if let Some(id) = id.and_then(|id| i32::try_from(id).ok())
        && let Err(error) = kill(Pid::from_raw(id), Signal::SIGINT)
    {
        tracing::debug!(%error, "the command had ended already");
    }
}

/// What a command said. One that compares prints its result also when it ends with the status 1.
fn answer(is_good: bool, out: &str, error: &str) -> Result<Value> {
    let result = out.lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok());
    if let Some(result) = result {
        return Ok(result);
    }
    if is_good {
        bail!("the command said nothing");
    }
    let said = error.lines().rev().find_map(|line| {
        let line: Value = serde_json::from_str(line).ok()?;
        line["error"].as_str().map(str::to_owned)
    });
    bail!(said.unwrap_or_else(|| "the command failed and did not say why: look into the query API's log".to_owned()))
}

/// Puts the rules that came into their folder, and nothing else.
fn write_rules(home: &Home, files: &BTreeMap<String, String>) -> Result<()> {
    let folder = home.path(RULES);
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    home.create_folder(RULES)?;
    for (name, text) in files {
        std::fs::write(folder.join(name), text).with_context(|| format!("cannot write the rule file {name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_commands_say() {
        assert_eq!(answer(true, "{\"a\":1}\n", "").unwrap()["a"], 1);
        assert_eq!(answer(true, "null\n", "").unwrap(), Value::Null);
        assert_eq!(answer(false, "{\"equal\":false}\n", "").unwrap()["equal"], false);
        let failed = answer(false, "", "{\"level\":\"WARN\"}\n{\"error\":\"there is no replay\"}\n").unwrap_err();
        assert_eq!(failed.to_string(), "there is no replay");
        assert!(answer(false, "", "killed").unwrap_err().to_string().contains("did not say why"));
    }

    #[test]
    fn rules_replace_those_that_came_before() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path()).unwrap();
        home.create().unwrap();
        let files = |name: &str| BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        write_rules(&home, &files("one.json")).unwrap();
        write_rules(&home, &files("two.json")).unwrap();
        let names: Vec<_> = std::fs::read_dir(home.path(RULES)).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["two.json"]);
    }
}
