//! The npm package of the event crate, in a real Chromium and on a real workerd, gives the answers of the real edge.

use anyhow::{Context as _, Result, ensure};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use weir_tests::chromium;
use weir_tests::poll::until_true;
use weir_tests::weir::{Weir, client, repository};

const SITE: &str = "package.example";
const WORKER_WITHIN: Duration = Duration::from_secs(20);

/// A worker that answers a list of bodies with the list of the package's answers.
const WORKER: &str = "import { answer } from '@weir/event';
export default {
  async fetch(request) {
    const bodies = await request.json();
    return Response.json(bodies.map((body) => answer(new Uint8Array(body))));
  },
};";

/// Killed when the test ends.
struct Worker(Child);

impl Drop for Worker {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

/// A command run to its end from the repository's root, its output shown.
async fn run(mut command: Command, what: &str) -> Result<()> {
    command.current_dir(repository()).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await?.with_context(|| format!("cannot run {what}"))?;
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    ensure!(output.status.success(), "{what}: {}\n{said}", output.status);
    Ok(())
}

/// A plain workerd with the package's files as modules, as `wrangler` would lay them out.
async fn start_worker(folder: &Path, package: &Path) -> Result<(Worker, String)> {
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    for file in ["worker.mjs", "web.mjs", "weir_bg.wasm"] {
        std::fs::copy(package.join(file), folder.join(file)).with_context(|| format!("the package has no {file}"))?;
    }
    std::fs::write(folder.join("main.js"), WORKER)?;
    std::fs::write(
        folder.join("config.capnp"),
        format!(
            r#"using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:{port}", http = (), service = "main")]);
const main :Workerd.Worker = (
  modules = [
    (name = "main.js", esModule = embed "main.js"),
    (name = "@weir/event", esModule = embed "worker.mjs"),
    (name = "@weir/web.mjs", esModule = embed "web.mjs"),
    (name = "@weir/weir_bg.wasm", wasm = embed "weir_bg.wasm")],
  compatibilityDate = "2026-11-01");
"#
        ),
    )?;
    let workerd = repository().join(".tools/bin/workerd");
    let child = Command::new(&workerd)
        .arg("serve")
        .arg(folder.join("config.capnp"))
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {}: run infra/tools/setup.sh", workerd.display()))?;
    let worker = Worker(child);
    let (url, client) = (format!("http://127.0.0.1:{port}/"), client()?);
    until_true("the package's worker", WORKER_WITHIN, async || {
        client.post(&url).body("[]").send().await.is_ok_and(|answer| answer.status() == 200)
    })
    .await?;
    Ok((worker, url))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_package_answers_as_the_edge_does() -> Result<()> {
    run(Command::new(repository().join("infra/tools/build-wasm-pkg.sh")), "build-wasm-pkg.sh").await?;
    let package = repository().join("target/wasm-pkg");
    let folder = tempfile::tempdir()?;
    let (_worker, url) = start_worker(folder.path(), &package).await?;
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let mut node = Command::new("node");
    node.arg("tests/browser/wasm-pkg.mjs")
        .env("CHROMIUM", chromium::find()?)
        .env("COLLECTOR", weir.run()?.collector_url)
        .env("SITE", SITE)
        .env("PACKAGE", &package)
        .env("WORKER", url);
    run(node, "wasm-pkg.mjs").await
}
