//! Waiting for a turn: the fair queue with tasks that sleep in it.

use super::turns::{Arrival, Turns};
use super::{Tenant, TurnBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// There is no place to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full {
    /// How many wait.
    pub waiting: usize,
}

type Waker = oneshot::Sender<()>;

/// The queue. Wakers are called, and their calls looked at, under its lock alone.
pub struct Queue {
    turns: Mutex<Turns<Waker>>,
}

impl Queue {
    /// A queue with these bounds.
    pub fn new(bounds: TurnBounds) -> Arc<Self> {
        Arc::new(Self { turns: Mutex::new(Turns::new(bounds)) })
    }

    /// Waits for a turn. Who stops waiting leaves no trace.
    ///
    /// # Errors
    /// When too many wait already, or others who wait less take the place.
    pub async fn turn(self: &Arc<Self>, tenant: &Tenant) -> Result<Turn, Full> {
        let (waker, called) = oneshot::channel();
        let ticket = {
            let mut turns = self.lock();
            match turns.arrive(tenant, waker) {
                Arrival::Go => None,
                // The displaced one finds his waker gone.
                Arrival::Waits(ticket, _displaced) => Some(ticket),
                Arrival::Full => return Err(Full { waiting: turns.waiting() }),
            }
        };
        if let Some(ticket) = ticket {
            let mut place = Place { queue: self, tenant, ticket, called: Some(called) };
            let Some(called) = place.called.as_mut() else { return Err(Full { waiting: 0 }) };
            let outcome = called.await;
            place.called = None;
            if outcome.is_err() {
                return Err(Full { waiting: self.lock().waiting() });
            }
        }
        Ok(Turn { queue: Arc::clone(self), tenant: tenant.clone(), began: Instant::now() })
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.lock().running()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.lock().waiting()
    }

    /// Tenants that run or wait.
    pub fn tenants(&self) -> usize {
        self.lock().tenants()
    }

    fn leave(turns: &mut Turns<Waker>, tenant: &Tenant, took_us: u64) {
        for waker in turns.leave(tenant, took_us) {
            // Whoever went away meanwhile gives the turn back: see `Place`.
            let _gone = waker.send(());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turns<Waker>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A turn; given back on drop, with the time that it took.
pub struct Turn {
    queue: Arc<Queue>,
    tenant: Tenant,
    began: Instant,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let took_us = self.began.elapsed().as_micros() as u64;
        Queue::leave(&mut self.queue.lock(), &self.tenant, took_us);
    }
}

/// A place among those who wait; given back on drop, and the turn with it if it was called meanwhile.
struct Place<'a> {
    queue: &'a Queue,
    tenant: &'a Tenant,
    ticket: u64,
    /// `None` once it was looked at.
    called: Option<oneshot::Receiver<()>>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let Some(called) = &mut self.called else { return };
        let mut turns = self.queue.lock();
        match called.try_recv() {
            Ok(()) => Queue::leave(&mut turns, self.tenant, 0),
            Err(TryRecvError::Empty) => {
                turns.give_up(self.tenant, self.ticket);
            }
            // Displaced.
            Err(TryRecvError::Closed) => {}
        }
    }
}
