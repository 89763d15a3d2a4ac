//! `weir up`: from nothing to a system that serves, and back.

use crate::cli::UpOptions;
use crate::home::{Home, RunFile};
use crate::installation::Installation;
use crate::nats_config::{NatsServer, Role};
use crate::output::Output;
use crate::ports::{self, IfTaken};
use crate::secrets::Secrets;
use crate::session::{Session, http_client, nats_config};
use crate::supervisor::{Program, Registry, Supervisor, reaper};
use crate::workerd_config::{self, Edge, EdgeNats};
use crate::{countries, draining, edges, keys, nats_config as nats_file, provision, service};
use anyhow::{Context as _, Result, bail};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Time in which everything must serve.
const READY_WITHIN: Duration = Duration::from_mins(1);
/// Time in which the children of a killed supervisor must be gone.
const LEFTOVERS_GONE_WITHIN: Duration = Duration::from_secs(10);
/// Pause between looks at something that is to become ready.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A system that serves.
pub(crate) struct Running {
    /// The admin's way to it.
    pub(crate) session: Session,
    /// Where its `run.json` is kept.
    pub(crate) registry: Arc<Registry>,
    supervisor: Supervisor,
    _lock: File,
}

/// Starts everything, says so, and runs until a signal.
pub(crate) async fn run(options: &UpOptions, output: Output) -> Result<()> {
    start_log();
    let ended = service::cancelled_by_signal()?;
    with_system(options, IfTaken::Fail, output, &ended, async |running| {
        let run = &running.session.run;
        let ready = serde_json::json!({
            "ready": true, "collector_url": run.collector_url, "collector_urls": run.collector_urls, "query_url": run.query_url, "nats_url": run.nats_url,
            "home": running.session.home.root(),
        });
        let text = format!(
            "ready: collector {}, query API and dashboard {}, {}\n       home {}; Ctrl-C ends everything",
            run.collector_urls.join(" "),
            run.query_url,
            run.nats_url,
            running.session.home.root().display()
        );
        output.result(&ready, &text)?;
        ended.cancelled().await;
        Ok(())
    })
    .await
}

/// Starts the system, lets `work` use it, and ends it, whatever happened. A signal during the start ends it too.
pub(crate) async fn with_system(
    options: &UpOptions,
    if_taken: IfTaken,
    output: Output,
    ended: &CancellationToken,
    work: impl AsyncFnOnce(&Running) -> Result<()>,
) -> Result<()> {
    let mut prepared = prepare(options, if_taken, output).await?;
    let started = tokio::select! {
        started = prepared.start(options) => started.map(Some),
        () = ended.cancelled() => Ok(None),
    };
    let result = match started {
        Ok(Some(session)) => {
            let running = Running { session, registry: prepared.registry, supervisor: prepared.supervisor, _lock: prepared.lock };
            let session = &running.session;
            let edges = session.run.edges().into_iter().map(|(name, _)| name).collect();
            let logs = cut_logs(session.home.clone(), edges, ended.clone());
            let retired = draining::retire(session, &running.supervisor, &running.registry, ended.clone());
            let (result, (), ()) = tokio::join!(end_with(work(&running), ended), logs, retired);
            output.text("ending …")?;
            let stopped = running.supervisor.stop().await;
            return result.and(stopped).and(running.session.home.remove_run_file());
        }
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    let stopped = prepared.supervisor.stop().await;
    result.and(stopped).and(prepared.home.remove_run_file())
}

/// Fires `ended` when the work is done or failed, so that what runs beside it ends too.
async fn end_with(work: impl Future<Output = Result<()>>, ended: &CancellationToken) -> Result<()> {
    let result = work.await;
    ended.cancel();
    result
}

/// Everything that can be refused before a child is started.
struct Prepared {
    home: Home,
    installation: Installation,
    secrets: Secrets,
    run: RunFile,
    ports: Ports,
    registry: Arc<Registry>,
    supervisor: Supervisor,
    lock: File,
}

struct Ports {
    /// One for each edge.
    collectors: Vec<u16>,
    /// One for each edge that is to be emptied, by its index.
    draining: Vec<(u32, u16)>,
    query: u16,
    nats: u16,
}

async fn prepare(options: &UpOptions, if_taken: IfTaken, output: Output) -> Result<Prepared> {
    let home = Home::from_environment()?;
    let installation = Installation::find()?;
    for tool in ["nats-server", "workerd"] {
        installation.tool(tool)?;
    }
    home.create()?;
    let Some(lock) = home.try_lock("lock")? else {
        bail!("a Weir is already running on {}: end it first, or set WEIR_HOME to another folder", home.root().display());
    };
    wait_for_leftovers(&home).await?;
    home.remove_run_file()?;
    let secrets = Secrets::load_or_create(&home)?;
    // Events are worth more than their countries.
    if let Err(error) = countries::ensure(&home) {
        output.note(&format!("countries of visitors will not be known: {error:#}"));
    }
    let draining = edges::leftovers(&home, options.edges)?;
    if !draining.is_empty() {
        output.note(&format!(
            "{} more edges than asked for were there: they run, out of sight, until they have sent what they hold",
            draining.len()
        ));
    }
    let ports = choose_ports(options, draining, if_taken, output)?;
    let url = |port: &u16| format!("http://127.0.0.1:{port}");
    let collector_urls: Vec<String> = ports.collectors.iter().map(url).collect();
    let run = RunFile {
        collector_url: collector_urls.first().cloned().context("a port is missing")?,
        collector_urls,
        draining_edges: ports.draining.iter().map(|(index, port)| (edges::name(*index), url(port))).collect(),
        query_url: format!("http://127.0.0.1:{}", ports.query),
        nats_url: format!("nats://127.0.0.1:{}", ports.nats),
        admin_key: secrets.admin_key.clone(),
        region: options.region.clone(),
        partitions: options.partitions,
        supervisor_pid: std::process::id(),
        pids: BTreeMap::new(),
        demo_site: None,
        demo_shop: None,
        demo_key: None,
    };
    let registry = Arc::new(Registry::new(home.clone(), run.clone()));
    let reaper = Program {
        name: "reaper".to_owned(),
        file: std::env::current_exe().context("cannot tell where the weir command lies")?,
        arguments: vec!["reaper".into(), home.path(reaper::LOCK).into()],
        environment: Vec::new(),
        log: home.log("reaper"),
    };
    let supervisor = Supervisor::new(Arc::clone(&registry), reaper);
    Ok(Prepared { home, installation, secrets, run, ports, registry, supervisor, lock })
}

/// All are held until all are chosen, so that they differ.
fn choose_ports(options: &UpOptions, draining: Vec<u32>, if_taken: IfTaken, output: Output) -> Result<Ports> {
    let wanted =
        [(options.nats_port, ports::NATS), (options.query_port, ports::QUERY), (options.collector_port, ports::COLLECTOR)];
    let mut held = Vec::new();
    for (port, purpose) in wanted {
        let chosen = ports::choose(port, purpose, if_taken)?;
        if port != 0 && chosen.port != port {
            output.note(&format!("port {port} is taken: {} listens on {} instead", purpose.name, chosen.port));
        }
        held.push(chosen);
    }
    for _ in 1..options.edges {
        let before = held.last().map_or(0, |held| held.port);
        let chosen = if options.collector_port == 0 {
            ports::choose(0, ports::COLLECTOR, if_taken)?
        } else {
            ports::next(before, ports::COLLECTOR)?
        };
        if options.collector_port != 0 && chosen.port != before + 1 {
            output.note(&format!("port {} is taken: a further collector listens on {} instead", before + 1, chosen.port));
        }
        held.push(chosen);
    }
    // Nobody knows these, so that nobody sends to them.
    let hidden = draining.iter().map(|_| ports::choose(0, ports::COLLECTOR, if_taken)).collect::<Result<Vec<_>>>()?;
    let mut released = held.into_iter().map(ports::Held::release);
    let mut next = || released.next().context("a port is missing");
    let (nats, query) = (next()?, next()?);
    let draining = draining.into_iter().zip(hidden.into_iter().map(ports::Held::release)).collect();
    Ok(Ports { nats, query, collectors: released.collect(), draining })
}

/// The reaper of a killed supervisor may still be ending its children.
pub(crate) async fn wait_for_leftovers(home: &Home) -> Result<()> {
    let deadline = Instant::now() + LEFTOVERS_GONE_WITHIN;
    while home.try_lock(reaper::LOCK)?.is_none() {
        if Instant::now() > deadline {
            bail!("processes of a former Weir on {} do not end: look for them with `ps`, and try again", home.root().display());
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    Ok(())
}

impl Prepared {
    async fn start(&mut self, options: &UpOptions) -> Result<Session> {
        let deadline = Instant::now() + READY_WITHIN;
        self.start_nats(options)?;
        let session = self.connect(deadline).await?;
        provision::provision(&session.jetstream, &options.region, options.partitions, &self.home.path("nats")).await?;
        keys::ensure_admin(&session).await?;
        self.start_services()?;
        self.start_edges(options)?;
        self.serving(deadline).await?;
        Ok(session)
    }

    fn start_nats(&mut self, options: &UpOptions) -> Result<()> {
        let config = nats_file::render(&NatsServer {
            port: self.ports.nats,
            store: &self.home.path("nats/store"),
            region: &options.region,
            partitions: options.partitions,
            secrets: &self.secrets,
        });
        self.home.replace("nats/nats.conf", config.as_bytes())?;
        // Go gives memory back late: a full replay can reach 2 GB otherwise.
        let memory = std::env::var_os("GOMEMLIMIT").unwrap_or_else(|| OsString::from("1GiB"));
        let program = Program {
            name: "nats".to_owned(),
            file: self.installation.tool("nats-server")?,
            arguments: vec!["-c".into(), self.home.path("nats/nats.conf").into()],
            environment: vec![("GOMEMLIMIT", memory)],
            log: self.home.log("nats"),
        };
        self.supervisor.start(program);
        Ok(())
    }

    async fn connect(&self, deadline: Instant) -> Result<Session> {
        let config = nats_config(Role::Admin, &self.run.nats_url, &self.secrets);
        loop {
            self.supervisor.check()?;
            let error = match weir_reader::connect(&config).await {
                Ok(client) => {
                    let jetstream = weir_reader::jetstream(client.clone());
                    match jetstream.query_account().await {
                        Ok(_) => {
                            let (home, run, secrets) = (self.home.clone(), self.run.clone(), self.secrets.clone());
                            return Ok(Session { home, run, secrets, nats: config, client, jetstream });
                        }
                        Err(error) => error.to_string(),
                    }
                }
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                bail!("nats-server does not answer ({error}): look into {}", self.home.log("nats").display());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn start_services(&mut self) -> Result<()> {
        let file = std::env::current_exe().context("cannot tell where the weir command lies")?;
        for name in ["aggregator", "query-api"] {
            let environment = vec![
                ("WEIR_HOME", self.home.root().into()),
                ("WEIR_NATS_URL", self.run.nats_url.clone().into()),
                ("WEIR_REGION", self.run.region.clone().into()),
                ("WEIR_PARTITIONS", self.run.partitions.to_string().into()),
                ("WEIR_QUERY_PORT", self.ports.query.to_string().into()),
            ];
            let program = Program {
                name: name.to_owned(),
                file: file.clone(),
                arguments: vec![name.into()],
                environment,
                log: self.home.log(name),
            };
            self.supervisor.start(program);
        }
        Ok(())
    }

    fn start_edges(&mut self, options: &UpOptions) -> Result<()> {
        workerd_config::install_worker(&self.home, &self.installation)?;
        let serving = (0..).zip(self.ports.collectors.iter().copied());
        for (index, port) in serving.chain(self.ports.draining.iter().copied()) {
            self.home.create_folder(&edges::objects_folder(index))?;
            let edge = Edge {
                index,
                number: index,
                address: format!("127.0.0.1:{port}"),
                nats: EdgeNats::local(self.ports.nats, &self.secrets),
                region: &options.region,
                partitions: options.partitions,
                worker: &options.worker,
                token: &self.secrets.edge_token,
            };
            workerd_config::install(&self.home, &edge)?;
            let name = edges::name(index);
            let program = Program {
                file: self.installation.tool("workerd")?,
                arguments: workerd_config::arguments(&self.home, index),
                environment: Vec::new(),
                log: self.home.log(&name),
                name,
            };
            self.supervisor.start(program);
        }
        Ok(())
    }

    async fn serving(&self, deadline: Instant) -> Result<()> {
        let client = http_client()?;
        let edges = (0..).zip(&self.run.collector_urls).map(|(index, url)| (edges::name(index), format!("{url}/health")));
        let query_api = ("query-api".to_owned(), format!("{}/api/health", self.run.query_url));
        for (name, url) in std::iter::once(query_api).chain(edges) {
            loop {
                self.supervisor.check()?;
                let said = match client.get(&url).send().await {
                    Ok(answer) if answer.status().is_success() => break,
                    Ok(answer) => format!("{} {}", answer.status(), answer.text().await.unwrap_or_default()),
                    Err(error) => error.to_string(),
                };
                if Instant::now() > deadline {
                    let log = self.home.log(&name);
                    bail!("{url} does not become healthy (last answer: {}): look into {}", said.trim(), log.display());
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        Ok(())
    }
}

/// Keeps the logs from growing for ever.
async fn cut_logs(home: Home, edges: Vec<String>, ended: CancellationToken) {
    while ended.run_until_cancelled(tokio::time::sleep(Duration::from_mins(1))).await.is_some() {
        for child in ["nats", "aggregator", "query-api"].into_iter().chain(edges.iter().map(String::as_str)) {
            if let Err(error) = crate::supervisor::cut_log(&home.log(child)) {
                tracing::warn!(child, error = format!("{error:#}"), "a log could not be cut");
            }
        }
    }
}

/// The supervisor's own warnings, for people, on standard error.
pub(crate) fn start_log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn,weir_reader=error,async_nats=error"));
    let lines = tracing_subscriber::fmt()
        .compact()
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
        .with_target(false)
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    service::start_discreet(lines.finish());
}
