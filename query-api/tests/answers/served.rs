//! A fixture behind a real socket, and programs that talk to it.

use crate::fixture::Fixture;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::process::Command;

/// Longest that a program may take: a stuck one must not hold the suite.
const PROGRAM_MAX: Duration = Duration::from_mins(5);

/// Serves the router until the test ends; the address, without a path.
pub(crate) async fn serve(fixture: &Fixture) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = fixture.router.clone();
    tokio::spawn(async move { axum::serve(listener, router).await });
    url
}

/// The root of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// A program that `infra/tools/setup-clients.sh` brings: `.tools/<venv>/bin/<name>`.
pub(crate) fn tool(venv: &str, name: &str) -> Command {
    let path = root().join(".tools").join(venv).join("bin").join(name);
    assert!(path.exists(), "{} is missing: run infra/tools/setup-clients.sh", path.display());
    let mut command = Command::new(path);
    // Clients of other people: they tell nobody of this.
    command.env("DO_NOT_TRACK", "1").env("NO_PROXY", "*").env("no_proxy", "*").kill_on_drop(true);
    command
}

/// Runs a program to its end: success, and everything that it wrote.
pub(crate) async fn run(mut command: Command, input: &str) -> (bool, String, String) {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.unwrap();
    drop(stdin);
    let output = tokio::time::timeout(PROGRAM_MAX, child.wait_with_output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// The JSON in a text.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}
