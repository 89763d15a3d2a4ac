//! The directory's shell: follows the buckets once a second while anybody asks, and answers with what changed.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use worker::{Env, Request, Response, Result, State, Storage};

use super::changes::Change;
use super::storage::{Position, Tables};
use super::{salts, sync};
use crate::backoff::Backoff;
use crate::nats::answer::NatsError;
use crate::nats::connection::Connection;
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

/// The directory.
#[derive(Debug)]
pub(crate) struct Shell {
    storage: Storage,
    env: Env,
    tables: RefCell<Option<Rc<Tables>>>,
    /// Salts by UTC day, in hex. They rest in their bucket and here, never in storage.
    salts: RefCell<BTreeMap<String, String>>,
    connection: RefCell<Option<Rc<Connection>>>,
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
            connection: RefCell::default(),
            is_following: Cell::new(false),
            asked_ms: Cell::new(0),
            looked_ms: Cell::new(0),
            last_failure: RefCell::default(),
        }
    }

    /// Answers with the changes after the generation and sequence that the request names.
    pub(crate) async fn fetch(self: &Rc<Self>, request: Request) -> Result<Response> {
        let url = request.url()?;
        let parameter = |name: &str| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
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
        let after = parameter("after").and_then(|after| after.parse().ok()).unwrap_or_default();
        let mut changes = tables.changes(&position, &parameter("generation").unwrap_or_default(), after)?;
        changes.salts.clone_from(&self.salts.borrow());
        Response::from_json(&changes)
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
        while now_ms().saturating_sub(self.asked_ms.get()) < IDLE_MS {
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
        if let Some(connection) = self.connection.borrow_mut().take() {
            connection.close("nobody asks");
        }
    }

    async fn look(&self) -> std::result::Result<(), SyncError> {
        let connection = self.connected().await?;
        self.sync_salts(&connection).await?;
        self.sync_sites(&connection).await
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
                    self.salts.borrow_mut().insert(wanted.day, salt);
                }
                Some(_) => worker::console_error!("salt of {} is not 64 hex digits", wanted.day),
                None => {}
            }
        }
        salts::forget_old(&mut self.salts.borrow_mut(), now);
        Ok(())
    }

    async fn connected(&self) -> std::result::Result<Rc<Connection>, SyncError> {
        let open = self.connection.borrow().as_ref().filter(|connection| !connection.is_closed()).cloned();
        if let Some(connection) = open {
            return Ok(connection);
        }
        let config = config(&self.env).map_err(|error| worker::Error::RustError(error.to_string()))?;
        let connection = Connection::open(&config.nats, u64::from_le_bytes(random_bytes::<8>()?)).await?;
        *self.connection.borrow_mut() = Some(connection.clone());
        Ok(connection)
    }
}
