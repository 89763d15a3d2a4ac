//! The way to NATS of one Durable Object: a connection to one of the servers, made anew when it is of no more use.

use std::cell::RefCell;
use std::rc::Rc;

use super::answer::NatsError;
use super::choice::Choice;
use super::connection::Connection;
use crate::config::NatsConfig;
use crate::platform::{jitter, random_bytes};

/// The way to NATS.
#[derive(Debug, Default)]
pub(crate) struct Link {
    connection: RefCell<Option<Rc<Connection>>>,
    choice: RefCell<Choice>,
}

impl Link {
    /// The open connection, or a new one. One attempt at one server: whoever needs it comes back, with a backoff.
    pub(crate) async fn connected(&self, config: &NatsConfig) -> Result<Rc<Connection>, NatsError> {
        let former = self.connection.borrow().clone();
        match former {
            Some(connection) if !connection.is_closed() && !connection.is_to_be_left() => return Ok(connection),
            Some(connection) => {
                connection.close_when_idle();
                self.connection.borrow_mut().take();
                self.choice.borrow_mut().next();
            }
            None => {}
        }
        let inbox = random_bytes::<8>().map_err(|error| NatsError::Disconnected { reason: error.to_string() })?;
        let index = self.choice.borrow_mut().server(config.servers.len(), jitter());
        let server =
            config.servers.get(index).ok_or_else(|| NatsError::Disconnected { reason: "no server is named".to_owned() })?;
        match Connection::open(config, server, u64::from_le_bytes(inbox)).await {
            Ok(connection) => {
                *self.connection.borrow_mut() = Some(connection.clone());
                Ok(connection)
            }
            Err(error) => {
                self.choice.borrow_mut().next();
                Err(error)
            }
        }
    }

    /// Tells what became of a request.
    pub(crate) fn note<T>(&self, result: &Result<T, NatsError>) {
        match result {
            Ok(_) => self.choice.borrow_mut().answered(),
            Err(error) => {
                if self.choice.borrow_mut().failed(error) {
                    self.close("JetStream cannot be reached through this server");
                }
            }
        }
    }

    /// Ends the connection, if there is one; the next one is to another server.
    pub(crate) fn close(&self, reason: &str) {
        if let Some(connection) = &*self.connection.borrow() {
            connection.close(reason);
        }
    }
}
