//! The batcher's shell: requests and alarms in, SQLite and NATS out. What happens when is decided in `core`.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::oneshot;
use weir_event::codec::{self, BATCH_BYTES_MAX};
use weir_event::model::SCHEMA_VERSION;
use weir_event::subject::{SCHEMA_HEADER, events_subject};
use worker::{Env, Method, Request, RequestInit, Response, Result, State, Storage, js_sys};

use super::core::{BATCH_TARGET_BYTES, Batch, Chunk, Core, Full, Step, Ticket, Write};
use super::status::Status;
use super::storage::Tables;
use crate::backoff::Backoff;
use crate::config::Config;
use crate::ingest::REQUEST_BYTES_MAX;
use crate::nats::answer::{NatsError, PubAck, parse};
use crate::nats::connection::Outgoing;
use crate::nats::link::Link;
use crate::platform::{config, jitter, now_ms, random_bytes};
use crate::timeout::sleep;

/// How long a group collects, milliseconds.
const GROUP_MS: u64 = 2;
/// How long a publish may stay without acknowledgement, milliseconds.
const ACK_TIMEOUT_MS: u64 = 5_000;
/// When the alarm looks after a batcher that stopped sending, milliseconds.
const ALARM_MS: u64 = 1_000;

/// Hands a batcher what `codec` appended. 202 = it is on stable storage.
pub(crate) async fn append(env: &Env, config: &Config, partition: u32, slot: u32, bytes: &[u8], received_ms: u64) -> Result<u16> {
    let stub = env.durable_object("BATCHER")?.get_by_name(&format!("p{partition}-s{slot}"))?;
    let mut init = RequestInit::new();
    init.with_method(Method::Post).with_body(Some(js_sys::Uint8Array::from(bytes).into()));
    let url = format!("http://batcher/append?name={}&received_ms={received_ms}", name(config, partition, slot));
    Ok(stub.fetch_with_request(Request::new_with_init(&url, &init)?).await?.status_code())
}

/// A batcher's stable name. Edges of one machine keep batchers of their own, which must not be taken for each other.
fn name(config: &Config, partition: u32, slot: u32) -> String {
    let edge = if config.edge_index == 0 { String::new() } else { format!("{}.", config.edge_index) };
    format!("{}/{partition}/{edge}{slot}", config.region)
}

/// Where to ask for the status.
pub(crate) fn status_url(config: &Config, partition: u32, slot: u32) -> String {
    format!("http://batcher/status?name={}", name(config, partition, slot))
}

/// Where to ask whether something can be written.
pub(crate) fn probe_url(config: &Config, partition: u32, slot: u32) -> String {
    format!("http://batcher/probe?name={}", name(config, partition, slot))
}

/// Where a test asks for a panic.
pub(crate) fn panic_url(config: &Config, partition: u32, slot: u32) -> String {
    format!("http://batcher/panic?name={}", name(config, partition, slot))
}

/// One batcher.
#[derive(Debug)]
pub(crate) struct Shell {
    storage: Storage,
    env: Env,
    tables: RefCell<Option<Rc<Tables>>>,
    core: RefCell<Option<Core>>,
    waiters: RefCell<HashMap<Ticket, oneshot::Sender<bool>>>,
    is_committing: Cell<bool>,
    is_sending: Cell<bool>,
    is_alarm_set: Cell<bool>,
    /// Bytes of the batch that is sent next, where they are at hand.
    front: RefCell<Option<(i64, Bytes)>>,
    link: Link,
    status: RefCell<Status>,
}

impl Shell {
    pub(crate) fn new(state: &State, env: Env) -> Self {
        Self {
            storage: state.storage(),
            env,
            tables: RefCell::default(),
            core: RefCell::default(),
            waiters: RefCell::default(),
            is_committing: Cell::new(false),
            is_sending: Cell::new(false),
            is_alarm_set: Cell::new(false),
            front: RefCell::default(),
            link: Link::default(),
            status: RefCell::default(),
        }
    }

    pub(crate) async fn fetch(self: &Rc<Self>, mut request: Request) -> Result<Response> {
        let url = request.url()?;
        let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        self.start(parameter("name"))?;
        match (request.method(), url.path()) {
            (Method::Post, "/append") => {
                let received_ms = parameter("received_ms").and_then(|ms| ms.parse().ok()).unwrap_or_else(now_ms);
                let bytes = request.bytes().await?;
                self.append(&bytes, received_ms).await
            }
            (Method::Get, "/status") => {
                self.keep_sending();
                Response::from_json(&self.status())
            }
            (Method::Post, "/probe") => {
                self.tables()?.probe()?;
                self.storage.sync().await?;
                self.tables()?.probed()?;
                Response::empty()
            }
            (Method::Get, "/panic") if self.config()?.test_panic => panic!("a panic that the operator asked for"),
            _ => Response::error("not found", 404),
        }
    }

    pub(crate) async fn alarm(self: &Rc<Self>) -> Result<Response> {
        self.is_alarm_set.set(false);
        self.start(None)?;
        if !self.is_empty() {
            self.set_alarm().await?;
            self.keep_sending();
        }
        Response::empty()
    }

    fn config(&self) -> Result<Rc<Config>> {
        config(&self.env).map_err(failed)
    }

    fn tables(&self) -> Result<Rc<Tables>> {
        if let Some(tables) = &*self.tables.borrow() {
            return Ok(tables.clone());
        }
        let tables = Rc::new(Tables::open(self.storage.sql())?);
        *self.tables.borrow_mut() = Some(tables.clone());
        Ok(tables)
    }

    /// Makes the state from storage when there is none in memory, under a new producer id.
    fn start(&self, name: Option<String>) -> Result<()> {
        if self.core.borrow().is_some() {
            return Ok(());
        }
        let tables = self.tables()?;
        let Some(name) = tables.name(name)? else { return Err(failed("the batcher has no name")) };
        let producer = random_bytes::<16>()?.to_vec();
        let limit = self.config()?.backlog_bytes_max;
        *self.core.borrow_mut() = Some(Core::restore(name, producer, limit, tables.pending()?, tables.batches()?));
        Ok(())
    }

    /// After a failure of storage, memory is not to be trusted: the next use reads storage again.
    fn give_up(&self, error: &worker::Error) {
        worker::console_error!("batcher's storage failed: {error}");
        *self.core.borrow_mut() = None;
        *self.tables.borrow_mut() = None;
        *self.front.borrow_mut() = None;
        self.waiters.borrow_mut().clear();
    }

    fn with_core<T>(&self, use_core: impl FnOnce(&mut Core) -> T) -> Result<T> {
        self.core.borrow_mut().as_mut().map(use_core).ok_or_else(|| failed("the batcher's state was given up"))
    }

    fn is_empty(&self) -> bool {
        self.core.borrow().as_ref().is_none_or(Core::is_empty)
    }

    async fn append(self: &Rc<Self>, bytes: &[u8], received_ms: u64) -> Result<Response> {
        if bytes.len() > REQUEST_BYTES_MAX {
            return Response::error("too many events", 413);
        }
        let runs = match codec::split_runs(bytes, BATCH_TARGET_BYTES) {
            Ok(runs) if !runs.is_empty() => runs,
            Ok(_) => return Response::error("no events", 400),
            Err(error) => return Response::error(error.to_string(), 400),
        };
        let chunks: Vec<Chunk> = runs
            .into_iter()
            .map(|run| Chunk {
                bytes: bytes.get(run.range).unwrap_or_default().to_vec(),
                events: run.events,
                oldest_ms: received_ms,
            })
            .collect();
        let ticket = match self.with_core(|core| core.append(chunks))? {
            Ok(ticket) => ticket,
            Err(full) => return self.refuse(full),
        };
        let (sender, receiver) = oneshot::channel();
        self.waiters.borrow_mut().insert(ticket, sender);
        self.keep_committing();
        match receiver.await {
            Ok(true) => Ok(Response::empty()?.with_status(202)),
            _ => Response::error("storage failed", 503),
        }
    }

    fn refuse(&self, full: Full) -> Result<Response> {
        self.status.borrow_mut().is_full = true;
        Response::error(full.to_string(), 503)
    }

    fn keep_committing(self: &Rc<Self>) {
        if !self.is_committing.replace(true) {
            let shell = self.clone();
            worker::wasm_bindgen_futures::spawn_local(async move {
                let result = shell.commit_groups().await;
                shell.is_committing.set(false);
                if let Err(error) = result {
                    shell.give_up(&error);
                }
            });
        }
    }

    /// Commits one group after the other until nothing waits.
    async fn commit_groups(self: &Rc<Self>) -> Result<()> {
        loop {
            sleep(GROUP_MS).await;
            let Some(commit) = self.with_core(|core| core.start_commit(now_ms()))? else { return Ok(()) };
            let tables = self.tables()?;
            for write in &commit.writes {
                tables.perform(write)?;
                if let Write::InsertBatch { id, chunk, .. } = write {
                    *self.front.borrow_mut() = Some((*id, Bytes::copy_from_slice(&chunk.bytes)));
                }
            }
            self.set_alarm().await?;
            self.storage.sync().await?;
            let tickets = commit.tickets.clone();
            self.with_core(|core| core.finish_commit(commit))?;
            for ticket in tickets {
                if let Some(waiter) = self.waiters.borrow_mut().remove(&ticket) {
                    // Whoever went away will not be told.
                    let _went_away = waiter.send(true).is_err();
                }
            }
            self.keep_sending();
            if !self.with_core(|core| core.has_waiting())? {
                return Ok(());
            }
        }
    }

    /// The alarm outlives a crash: it starts the batcher again when there is something to send.
    async fn set_alarm(&self) -> Result<()> {
        if !self.is_alarm_set.replace(true) {
            self.storage.set_alarm(Duration::from_millis(ALARM_MS)).await?;
        }
        Ok(())
    }

    fn keep_sending(self: &Rc<Self>) {
        if !self.is_empty() && !self.is_sending.replace(true) {
            let shell = self.clone();
            worker::wasm_bindgen_futures::spawn_local(async move {
                let result = shell.send_batches().await;
                shell.is_sending.set(false);
                if let Err(error) = result {
                    shell.give_up(&error);
                }
            });
        }
    }

    /// Forms and sends one batch after the other until nothing is left.
    async fn send_batches(self: &Rc<Self>) -> Result<()> {
        let mut backoff = Backoff::default();
        loop {
            match self.with_core(|core| core.next_step(now_ms()))? {
                Step::Idle => return Ok(()),
                Step::Form(forming) => {
                    self.tables()?.perform(&forming.write)?;
                    self.storage.sync().await?;
                    self.with_core(|core| core.finish_forming(forming))?;
                }
                Step::Send(batch) => match self.publish(&batch).await? {
                    Ok(_) => {
                        backoff.succeed();
                        self.front.borrow_mut().take_if(|(id, _)| *id == batch.row.id);
                        if let Some(write) = self.with_core(|core| core.acknowledged(batch.row.id))? {
                            self.tables()?.perform(&write)?;
                        }
                        let mut status = self.status.borrow_mut();
                        status.batches_sent += 1;
                        status.is_full = false;
                    }
                    Err(error) => {
                        self.note_failure(&error);
                        sleep(backoff.fail(jitter())).await;
                    }
                },
            }
        }
    }

    /// Sends the batch's frozen bytes under its id. The outer error is storage's.
    async fn publish(&self, batch: &Batch) -> Result<std::result::Result<PubAck, NatsError>> {
        let at_hand = self.front.borrow().as_ref().filter(|(id, _)| *id == batch.row.id).map(|(_, bytes)| bytes.clone());
        let payload = match at_hand {
            Some(bytes) => bytes,
            None => Bytes::from(self.tables()?.batch_bytes(batch.row.id)?),
        };
        if payload.len() > BATCH_BYTES_MAX {
            worker::console_error!("batch {} has {} bytes, more than a message may have", batch.message_id, payload.len());
        }
        let config = self.config()?;
        let connection = match self.link.connected(&config.nats).await {
            Ok(connection) => connection,
            Err(error) => return Ok(Err(error)),
        };
        let subject = events_subject(&config.region, self.partition()?);
        let headers = vec![("Nats-Msg-Id", batch.message_id.clone()), (SCHEMA_HEADER, SCHEMA_VERSION.to_string())];
        let answer = connection.request(Outgoing { subject, headers, payload }, ACK_TIMEOUT_MS).await;
        let acknowledged = answer.and_then(|answer| parse(&answer));
        self.link.note(&acknowledged);
        Ok(acknowledged)
    }

    /// The partition, from the batcher's name.
    fn partition(&self) -> Result<u32> {
        let name = self.with_core(|core| core.batcher().to_owned())?;
        let partition = name.split('/').nth(1).and_then(|number| number.parse().ok());
        partition.ok_or_else(|| failed("the batcher's name has no partition"))
    }

    fn note_failure(&self, error: &NatsError) {
        let mut status = self.status.borrow_mut();
        status.send_failures += 1;
        let text = error.to_string();
        if status.last_failure.as_ref() != Some(&text) {
            worker::console_error!("batch is kept and sent again: {text}");
        }
        status.last_failure = Some(text);
    }

    fn status(&self) -> Status {
        let mut status = self.status.borrow().clone();
        if let Some(core) = &*self.core.borrow() {
            status.unsent_events = core.unsent_events();
            status.oldest_unsent_ms = Some(core.oldest_unsent_ms()).filter(|ms| *ms > 0);
            status.backlog_bytes = core.backlog_bytes() as u64;
        }
        status
    }
}

fn failed(error: impl std::fmt::Display) -> worker::Error {
    worker::Error::RustError(error.to_string())
}
