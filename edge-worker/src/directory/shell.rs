//! The directory's shell: follows the buckets once a second while anybody asks, and answers with what changed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use bytes::Bytes;
use worker::{Env, Method, Request, RequestInit, Response, Result, State, Storage, js_sys};

use super::changes::Change;
use super::rejected::Queue;
use super::storage::{Position, Tables};
use super::{keys, salts, seal, sync};
use crate::backoff::Backoff;
use crate::nats::answer::NatsError;
use crate::nats::connection::Connection;
use crate::nats::link::Link;
use crate::platform::{config, jitter, now_ms, random_bytes};
use crate::timeout::{sleep, with_timeout};

/// How often the buckets are looked at, milliseconds.
const SYNC_EVERY_MS: u64 = 1_000;
/// The directory stops following after this long without a question, milliseconds.
const IDLE_MS: u64 = 60_000;
/// How long an answer waits for the first look, milliseconds.
const WAIT_MS: u64 = 2_500;
/// Pause between looks whether the wait is over, milliseconds.
const POLL_MS: u64 = 20;

/// Most payloads that are sent at one look.
const REJECTED_AT_ONCE: usize = 200;
/// Largest body that is taken, bytes.
const BODY_BYTES_MAX: usize = 4_000_000;

/// Asks the directory.
pub(crate) async fn get(env: &Env, path: &str) -> Result<Response> {
    send(env, path, RequestInit::new().with_method(Method::Get)).await
}

/// Hands the directory something.
pub(crate) async fn post(env: &Env, path: &str, body: Vec<u8>) -> Result<Response> {
    let body = js_sys::Uint8Array::from(body.as_slice()).into();
    send(env, path, RequestInit::new().with_method(Method::Post).with_body(Some(body))).await
}

async fn send(env: &Env, path: &str, init: &RequestInit) -> Result<Response> {
    let stub = env.durable_object("DIRECTORY")?.get_by_name("main")?;
    stub.fetch_with_request(Request::new_with_init(&format!("http://directory{path}"), init)?).await
}

/// The directory.
#[derive(Debug)]
pub(crate) struct Shell {
    storage: Storage,
    env: Env,
    tables: RefCell<Option<Rc<Tables>>>,
    /// Salts by UTC day, in hex. Storage has them sealed.
    salts: RefCell<BTreeMap<String, String>>,
    rejected: RefCell<Queue>,
    link: Link,
    is_following: Cell<bool>,
    asked_ms: Cell<u64>,
    /// When the last look ended, successful or not; 0 = there was none since following began.
    looked_ms: Cell<u64>,
    last_failure: RefCell<Option<String>>,
}

/// Why a look failed.
#[derive(Debug, thiserror::Error)]
enum SyncError {
    #[error("{0}")]
    Nats(#[from] NatsError),
    #[error("the server that answered lacks the end of the site list")]
    Stale,
    #[error("directory's storage failed: {0}")]
    Storage(#[from] worker::Error),
}

impl Shell {
    pub(crate) fn new(state: &State, env: Env) -> Self {
        Self {
            storage: state.storage(),
            env,
            tables: RefCell::default(),
            salts: RefCell::default(),
            rejected: RefCell::default(),
            link: Link::default(),
            is_following: Cell::new(false),
            asked_ms: Cell::new(0),
            looked_ms: Cell::new(0),
            last_failure: RefCell::default(),
        }
    }

    pub(crate) async fn fetch(self: &Rc<Self>, mut request: Request) -> Result<Response> {
        let url = request.url()?;
        let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        match url.path() {
            "/changes" => {
                let after = parameter("after").and_then(|after| after.parse().ok()).unwrap_or_default();
                self.changes(&parameter("generation").unwrap_or_default(), after).await
            }
            "/key" => self.key(&parameter("hash").unwrap_or_default()).await,
            "/rejected" => {
                let lines = Bytes::from(request.bytes().await?);
                if lines.len() > BODY_BYTES_MAX {
                    return Response::error("too many payloads", 413);
                }
                self.rejected.borrow_mut().push_lines(&lines);
                self.keep_following();
                Response::empty()
            }
            _ => Response::error("not found", 404),
        }
    }

    /// Answers with the changes after a generation and sequence.
    async fn changes(self: &Rc<Self>, generation: &str, after: u64) -> Result<Response> {
        self.asked_ms.set(now_ms());
        self.keep_following();
        if self.looked_ms.get() == 0 {
            let look = async {
                while self.looked_ms.get() == 0 {
                    sleep(POLL_MS).await;
                }
            };
            let _too_slow = with_timeout(WAIT_MS, look).await.is_none();
        }
        let tables = self.tables()?;
        let position = tables.position()?;
        if position.generation.is_empty() {
            return Response::error("the site list is not loaded yet", 503);
        }
        self.recall_salts(&tables)?;
        let mut changes = tables.changes(&position, generation, after)?;
        changes.salts.clone_from(&self.salts.borrow());
        Response::from_json(&changes)
    }

    /// Answers with the record of a key; 404 when there is none. What was known of it counts while NATS is away.
    async fn key(&self, hash: &str) -> Result<Response> {
        if !keys::is_hash(hash) {
            return Response::error("not a hash", 404);
        }
        let tables = self.tables()?;
        let asked = async { Ok::<_, SyncError>(sync::key(&*self.connected().await?, hash).await?) };
        let record = match asked.await {
            Ok(record) => {
                tables.keep_key(hash, record.as_deref())?;
                record
            }
            Err(error) => match tables.key(hash)? {
                Some(record) => Some(record),
                None => return Response::error(error.to_string(), 503),
            },
        };
        record.map_or_else(|| Response::error("no such key", 404), Response::ok)
    }

    /// After a start, the salts that storage has.
    fn recall_salts(&self, tables: &Tables) -> Result<()> {
        if !self.salts.borrow().is_empty() {
            return Ok(());
        }
        let token = self.token()?;
        let mut salts = self.salts.borrow_mut();
        for (day, sealed) in tables.salts()? {
            match seal::open(&token, &day, &sealed) {
                Some(salt) => drop(salts.insert(day, salt)),
                None => worker::console_error!("the sealed salt of {day} is of another token and is not used"),
            }
        }
        salts::forget_old(&mut salts, now_ms());
        Ok(())
    }

    fn token(&self) -> Result<String> {
        let config = config(&self.env).map_err(|error| worker::Error::RustError(error.to_string()))?;
        Ok(config.edge_token.clone())
    }

    fn tables(&self) -> Result<Rc<Tables>> {
        if let Some(tables) = &*self.tables.borrow() {
            return Ok(tables.clone());
        }
        let tables = Rc::new(Tables::open(self.storage.sql())?);
        *self.tables.borrow_mut() = Some(tables.clone());
        Ok(tables)
    }

    fn keep_following(self: &Rc<Self>) {
        if !self.is_following.replace(true) {
            let shell = self.clone();
            worker::wasm_bindgen_futures::spawn_local(async move {
                shell.follow().await;
                shell.is_following.set(false);
                shell.looked_ms.set(0);
            });
        }
    }

    async fn follow(&self) {
        let mut backoff = Backoff::default();
        while now_ms().saturating_sub(self.asked_ms.get()) < IDLE_MS || !self.rejected.borrow().is_empty() {
            let result = self.look().await;
            self.looked_ms.set(now_ms());
            let pause_ms = match result {
                Ok(()) => {
                    backoff.succeed();
                    self.last_failure.borrow_mut().take();
                    SYNC_EVERY_MS
                }
                Err(error) => {
                    let text = error.to_string();
                    if self.last_failure.borrow().as_ref() != Some(&text) {
                        worker::console_error!("site list and salts are not brought up to date: {text}");
                    }
                    *self.last_failure.borrow_mut() = Some(text);
                    backoff.fail(jitter())
                }
            };
            sleep(pause_ms).await;
        }
        self.link.close("nobody asks");
    }

    async fn look(&self) -> std::result::Result<(), SyncError> {
        let connection = self.connected().await?;
        let looked = async {
            self.sync_salts(&connection).await?;
            self.sync_sites(&connection).await?;
            self.send_rejected(&connection).await
        };
        match looked.await {
            Err(SyncError::Nats(error)) => {
                let failed = Err(error);
                self.link.note::<()>(&failed);
                failed.map_err(SyncError::Nats)
            }
            other => {
                self.link.note(&Ok(()));
                other
            }
        }
    }

    async fn send_rejected(&self, connection: &Connection) -> std::result::Result<(), SyncError> {
        let config = config(&self.env).map_err(|error| worker::Error::RustError(error.to_string()))?;
        for _ in 0..REJECTED_AT_ONCE {
            let Some(payload) = self.rejected.borrow().front() else { return Ok(()) };
            match sync::put_rejected(connection, &config.region, payload).await {
                // One that the stream does not take is given up, so that the next ones can be sent.
                Ok(()) => {}
                Err(error @ (NatsError::Refused { .. } | NatsError::Status { .. } | NatsError::Malformed { .. })) => {
                    worker::console_error!("a refused payload is not kept: {error}");
                }
                // Nobody answers: without the permission to publish, say. Sites and salts matter more than what waits here.
                Err(error @ NatsError::Timeout { .. }) => {
                    self.rejected.borrow_mut().clear();
                    return Err(error.into());
                }
                Err(error) => return Err(error.into()),
            }
            self.rejected.borrow_mut().pop();
        }
        Ok(())
    }

    async fn sync_sites(&self, connection: &Connection) -> std::result::Result<(), SyncError> {
        let tables = self.tables()?;
        let stream = sync::sites_stream(connection).await?;
        let mut position = tables.position()?;
        let is_other =
            stream.created != position.created || stream.state.last_seq < position.sequence || position.generation.is_empty();
        if is_other {
            // The bucket is new or was made anew: nothing of the old list counts, and the new one replaces it at once.
            let generation = format!("{:016x}", u64::from_le_bytes(random_bytes::<8>()?));
            position = Position { generation, created: stream.created, sequence: 0 };
        }
        let mut replacement: Vec<(u64, Change)> = Vec::new();
        while position.sequence < stream.state.last_seq {
            let found = sync::sites_after(connection, position.sequence).await?;
            let Some((last, _)) = found.last() else { break };
            position.sequence = *last;
            let found: Vec<(u64, Change)> =
                found.into_iter().filter_map(|(sequence, change)| Some((sequence, change?))).collect();
            if is_other {
                replacement.extend(found);
            } else {
                tables.apply(&found, &position)?;
            }
        }
        let is_behind = position.sequence < stream.state.last_seq;
        // Any server that keeps the bucket may have answered, also one that has not got its end yet.
        if is_behind && sync::has_sites_message(connection, stream.state.last_seq).await? {
            return Err(SyncError::Stale);
        }
        position.sequence = position.sequence.max(stream.state.last_seq);
        if is_other {
            tables.replace(&replacement, &position)?;
        } else if is_behind {
            tables.apply(&[], &position)?;
        }
        Ok(())
    }

    async fn sync_salts(&self, connection: &Connection) -> std::result::Result<(), SyncError> {
        let now = now_ms();
        self.recall_salts(&*self.tables()?)?;
        let mut is_first_start = false;
        for (index, wanted) in salts::wanted(now).into_iter().enumerate() {
            if self.salts.borrow().contains_key(&wanted.day) {
                continue;
            }
            let mut found = sync::salt(connection, &wanted.day).await?;
            // Yesterday's salt is made only at the very first start: later, one that is gone is gone.
            if found.is_none() && (!wanted.is_past || is_first_start) {
                is_first_start |= index == 0;
                sync::offer_salt(connection, &wanted.day, salts::format(&random_bytes::<32>()?)).await?;
                found = sync::salt(connection, &wanted.day).await?;
            }
            match found {
                Some(salt) if salts::parse(&salt).is_some() => {
                    let sealed = seal::seal(&self.token()?, &wanted.day, &salt, random_bytes::<{ seal::NONCE_BYTES }>()?);
                    if let Some(sealed) = sealed {
                        self.tables()?.keep_salt(&wanted.day, sealed)?;
                    }
                    self.salts.borrow_mut().insert(wanted.day, salt);
                }
                Some(_) => worker::console_error!("salt of {} is not 64 hex digits", wanted.day),
                None => {}
            }
        }
        let known = self.salts.borrow().len();
        salts::forget_old(&mut self.salts.borrow_mut(), now);
        if self.salts.borrow().len() < known {
            self.tables()?.forget_salts_through(&salts::last_forgotten(now))?;
        }
        Ok(())
    }

    async fn connected(&self) -> std::result::Result<Rc<Connection>, SyncError> {
        let config = config(&self.env).map_err(|error| worker::Error::RustError(error.to_string()))?;
        Ok(self.link.connected(&config.nats).await?)
    }
}
