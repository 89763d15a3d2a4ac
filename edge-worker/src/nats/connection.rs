//! One connection to NATS: requests and their answers over a socket of the runtime.
//!
//! Every request has a timeout, and a timeout ends the connection, so that a peer that went away silently is found as soon as something is
//! outstanding. Nobody reconnects here: whoever needs NATS opens the next connection, with a backoff.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use bytes::{Buf, BufMut, Bytes};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use watermelon_proto::headers::{HeaderMap, HeaderName, HeaderValue};
use watermelon_proto::proto::{ClientOp, ServerOp, StreamDecoder, StreamEncoder};
use watermelon_proto::{Connect, MessageBase, NonStandardConnect, ServerMessage, Subject};
use worker::{SecureTransport, Socket};

use super::answer::{Answer, NatsError};
use crate::config::{NatsConfig, Server};
use crate::timeout::with_timeout;

/// How long opening may take, milliseconds.
const OPEN_TIMEOUT_MS: u64 = 3_000;
/// Most requests that wait for an answer.
const OUTSTANDING_MAX: usize = 256;
/// Size of one read, bytes.
const READ_BYTES: usize = 64 * 1024;

/// A request to send.
#[derive(Debug)]
pub(crate) struct Outgoing {
    /// Where to.
    pub(crate) subject: String,
    /// Its headers.
    pub(crate) headers: Vec<(&'static str, String)>,
    /// Its data.
    pub(crate) payload: Bytes,
}

/// An open connection.
#[derive(Debug)]
pub(crate) struct Connection {
    inbox: String,
    next_reply: Cell<u64>,
    operations: RefCell<Option<mpsc::UnboundedSender<ClientOp>>>,
    outstanding: RefCell<HashMap<u64, mpsc::UnboundedSender<Answer>>>,
    end: RefCell<Option<String>>,
    /// The server is about to end and sends its clients away.
    is_lame_duck: Cell<bool>,
    closes_when_idle: Cell<bool>,
}

impl Connection {
    /// Connects and waits until the server has let us in. `inbox` is random: it makes the subject of our answers.
    pub(crate) async fn open(config: &NatsConfig, server: &Server, inbox: u64) -> Result<Rc<Self>, NatsError> {
        let opening = Self::handshake(config, server, inbox);
        with_timeout(OPEN_TIMEOUT_MS, opening).await.ok_or(NatsError::Timeout { timeout_ms: OPEN_TIMEOUT_MS })?
    }

    async fn handshake(config: &NatsConfig, server: &Server, inbox: u64) -> Result<Rc<Self>, NatsError> {
        let transport = if config.tls { SecureTransport::On } else { SecureTransport::Off };
        let socket =
            Socket::builder().secure_transport(transport).connect(server.host.clone(), server.port).map_err(disconnected)?;
        socket.opened().await.map_err(disconnected)?;
        let (mut reader, writer) = tokio::io::split(socket);
        let mut decoder = StreamDecoder::new();
        match next_operation(&mut reader, &mut decoder).await? {
            ServerOp::Info { info } if info.lame_duck_mode => return Err(disconnected("the server is about to end")),
            ServerOp::Info { .. } => {}
            ServerOp::Error { error } => return Err(disconnected(error)),
            _ => return Err(disconnected("the server did not introduce itself")),
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        let connection = Rc::new(Self {
            inbox: format!("_INBOX_edge.{inbox:016x}"),
            next_reply: Cell::new(1),
            operations: RefCell::new(Some(sender)),
            outstanding: RefCell::default(),
            end: RefCell::default(),
            is_lame_duck: Cell::new(false),
            closes_when_idle: Cell::new(false),
        });
        worker::wasm_bindgen_futures::spawn_local(write_operations(connection.clone(), writer, receiver));
        connection.send(ClientOp::Connect { connect: Box::new(introduction(config)) })?;
        let subject = subject(format!("{}.*", connection.inbox))?;
        connection.send(ClientOp::Subscribe { id: 1.into(), subject, queue_group: None })?;
        connection.send(ClientOp::Ping)?;
        loop {
            match next_operation(&mut reader, &mut decoder).await {
                Ok(ServerOp::Pong) => break,
                Ok(ServerOp::Ping) => connection.send(ClientOp::Pong)?,
                Ok(ServerOp::Error { error }) => {
                    connection.close(&error.to_string());
                    return Err(disconnected(error));
                }
                Ok(_) => {}
                Err(error) => {
                    connection.close(&error.to_string());
                    return Err(error);
                }
            }
        }
        worker::wasm_bindgen_futures::spawn_local(read_operations(connection.clone(), reader, decoder));
        Ok(connection)
    }

    /// Sends a request and returns its first answer.
    pub(crate) async fn request(&self, outgoing: Outgoing, timeout_ms: u64) -> Result<Answer, NatsError> {
        let mut answers = self.request_many(outgoing, timeout_ms, |_| true).await?;
        answers.pop().ok_or(NatsError::Malformed { reason: "no answer".to_owned() })
    }

    /// Sends a request and collects its answers until `is_last` says so of one, which is included.
    pub(crate) async fn request_many(
        &self,
        outgoing: Outgoing,
        timeout_ms: u64,
        is_last: impl Fn(&Answer) -> bool,
    ) -> Result<Vec<Answer>, NatsError> {
        if self.outstanding.borrow().len() >= OUTSTANDING_MAX {
            return Err(disconnected("too many requests are outstanding"));
        }
        let reply = self.next_reply.get();
        self.next_reply.set(reply + 1);
        let (sender, mut receiver) = mpsc::unbounded_channel();
        self.outstanding.borrow_mut().insert(reply, sender);
        let collecting = async {
            self.send(self.publish(outgoing, reply)?)?;
            let mut answers = Vec::new();
            while let Some(answer) = receiver.recv().await {
                let is_end = is_last(&answer);
                answers.push(answer);
                if is_end {
                    return Ok(answers);
                }
            }
            Err(disconnected(self.end.borrow().as_deref().unwrap_or("the connection ended")))
        };
        let result = with_timeout(timeout_ms, collecting).await;
        self.outstanding.borrow_mut().remove(&reply);
        if self.closes_when_idle.get() {
            self.close_when_idle();
        }
        result.unwrap_or_else(|| {
            self.close("a request timed out");
            Err(NatsError::Timeout { timeout_ms })
        })
    }

    /// Whether it is of no more use.
    pub(crate) fn is_closed(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Whether further requests should take another one.
    pub(crate) fn is_to_be_left(&self) -> bool {
        self.is_lame_duck.get()
    }

    /// Ends it as soon as nobody waits for an answer.
    pub(crate) fn close_when_idle(&self) {
        self.closes_when_idle.set(true);
        if self.outstanding.borrow().is_empty() {
            self.close("it was left for another server");
        }
    }

    /// Ends it. Whoever waits for an answer is told.
    pub(crate) fn close(&self, reason: &str) {
        if self.is_closed() {
            return;
        }
        *self.end.borrow_mut() = Some(reason.to_owned());
        drop(self.operations.borrow_mut().take());
        self.outstanding.borrow_mut().clear();
    }

    fn publish(&self, outgoing: Outgoing, reply: u64) -> Result<ClientOp, NatsError> {
        let mut headers = HeaderMap::new();
        for (name, value) in outgoing.headers {
            headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).map_err(malformed)?);
        }
        let message = MessageBase {
            subject: subject(outgoing.subject)?,
            reply_subject: Some(subject(format!("{}.{reply}", self.inbox))?),
            headers,
            payload: outgoing.payload,
        };
        Ok(ClientOp::Publish { message })
    }

    fn send(&self, operation: ClientOp) -> Result<(), NatsError> {
        match &*self.operations.borrow() {
            Some(sender) => sender.send(operation).map_err(disconnected),
            None => Err(disconnected(self.end.borrow().as_deref().unwrap_or("the connection ended"))),
        }
    }

    fn receive(&self, operation: ServerOp) {
        match operation {
            ServerOp::Ping => {
                if let Err(error) = self.send(ClientOp::Pong) {
                    self.close(&error.to_string());
                }
            }
            ServerOp::Message { message } => self.deliver(message),
            // A permission that is missing, a slow consumer: whoever waits runs into its timeout; the reason goes to the log.
            ServerOp::Error { error } => worker::console_error!("NATS reports: {error}"),
            ServerOp::Info { info } => self.is_lame_duck.set(info.lame_duck_mode),
            ServerOp::Pong | ServerOp::Success => {}
        }
    }

    fn deliver(&self, message: ServerMessage) {
        let reply = message.base.subject.as_str().rsplit('.').next().and_then(|id| id.parse::<u64>().ok());
        let waiting = reply.and_then(|reply| self.outstanding.borrow().get(&reply).cloned());
        // An answer that nobody waits for any more is of no use.
        if let Some(sender) = waiting {
            let _gave_up = sender.send(answer(message)).is_err();
        }
    }
}

fn answer(message: ServerMessage) -> Answer {
    let header = |name: &'static str| {
        message
            .base
            .headers
            .get(&HeaderName::from_static(name))
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let operation = header("KV-Operation");
    Answer {
        status: message.status_code.map(u16::from),
        subject: header("Nats-Subject"),
        sequence: header("Nats-Sequence").parse().unwrap_or_default(),
        deleted: operation == "DEL" || operation == "PURGE" || !header("Nats-Marker-Reason").is_empty(),
        payload: message.base.payload,
    }
}

fn introduction(config: &NatsConfig) -> Connect {
    Connect {
        verbose: false,
        pedantic: false,
        require_tls: config.tls,
        auth_token: None,
        username: Some(config.user.clone()),
        password: Some(config.password.clone()),
        client_name: Some("weir-edge".to_owned()),
        client_lang: "rust",
        client_version: env!("CARGO_PKG_VERSION"),
        protocol: 1,
        echo: false,
        signature: None,
        jwt: None,
        supports_no_responders: true,
        supports_headers: true,
        nkey: None,
        non_standard: NonStandardConnect::default(),
    }
}

async fn write_operations(
    connection: Rc<Connection>,
    mut writer: WriteHalf<Socket>,
    mut operations: mpsc::UnboundedReceiver<ClientOp>,
) {
    let mut encoder = StreamEncoder::new();
    while let Some(operation) = operations.recv().await {
        encoder.enqueue_write_op(&operation);
        while let Ok(next) = operations.try_recv() {
            encoder.enqueue_write_op(&next);
        }
        let bytes = encoder.copy_to_bytes(encoder.remaining());
        if let Err(error) = writer.write_all(&bytes).await {
            connection.close(&error.to_string());
            break;
        }
    }
    if let Err(error) = writer.shutdown().await {
        connection.close(&error.to_string());
    }
}

async fn read_operations(connection: Rc<Connection>, mut reader: ReadHalf<Socket>, mut decoder: StreamDecoder) {
    while !connection.is_closed() {
        match next_operation(&mut reader, &mut decoder).await {
            Ok(operation) => connection.receive(operation),
            Err(error) => connection.close(&error.to_string()),
        }
    }
}

async fn next_operation(reader: &mut ReadHalf<Socket>, decoder: &mut StreamDecoder) -> Result<ServerOp, NatsError> {
    let mut buffer = vec![0; READ_BYTES];
    loop {
        if let Some(operation) = decoder.decode().map_err(malformed)? {
            return Ok(operation);
        }
        let count = reader.read(&mut buffer).await.map_err(disconnected)?;
        match buffer.get(..count) {
            Some([]) | None => return Err(disconnected("the server closed the connection")),
            Some(bytes) => decoder.read_buf().put_slice(bytes),
        }
    }
}

fn subject(text: String) -> Result<Subject, NatsError> {
    Subject::try_from(text).map_err(malformed)
}

fn disconnected(reason: impl std::fmt::Display) -> NatsError {
    NatsError::Disconnected { reason: reason.to_string() }
}

fn malformed(reason: impl std::fmt::Debug) -> NatsError {
    NatsError::Malformed { reason: format!("{reason:?}") }
}
