//! Whose turn is next: a fair queue over tenants, without clock and threads.
//!
//! Each tenant has a lane and a sum of the time its turns took. The next turn goes to the lane that used least, so that a hundred waiting
//! queries of one tenant count as much as one of another. A lane that comes back begins where the others are: time not used is not saved up.
//! One turn is always kept from a tenant that has all the others, for whoever comes next.

use super::Tenant;
use std::collections::{HashMap, VecDeque};

/// What a turn costs at least, microseconds; it is charged when the turn begins.
const TURN_US: u64 = 1_000;

/// How many may run and wait.
#[derive(Clone, Copy, Debug)]
pub struct TurnBounds {
    /// Turns at the same time.
    pub running_max: usize,
    /// Turns of one tenant at the same time.
    pub tenant_running_max: usize,
    /// Who waits, altogether.
    pub waiting_max: usize,
}

/// What becomes of one who arrives.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Arrival<W> {
    /// It is his turn.
    Go,
    /// He waits, under this number. Another who waited may have lost his place to him.
    Waits(u64, Option<W>),
    /// There is no place to wait.
    Full,
}

struct Lane<W> {
    used_us: u64,
    running: usize,
    waiting: VecDeque<(u64, W)>,
    /// When it had its last turn, counted in turns.
    last_turn: u64,
}

impl<W> Lane<W> {
    fn is_idle(&self) -> bool {
        self.running == 0 && self.waiting.is_empty()
    }
}

/// The queue; `W` is what wakes one who waits.
pub(super) struct Turns<W> {
    bounds: TurnBounds,
    lanes: HashMap<Tenant, Lane<W>>,
    running: usize,
    waiting: usize,
    tickets: u64,
    /// Turns that began.
    begun: u64,
    /// What a lane that comes back counts as having used.
    floor_us: u64,
}

impl<W> Turns<W> {
    pub(super) fn new(bounds: TurnBounds) -> Self {
        Self { bounds, lanes: HashMap::new(), running: 0, waiting: 0, tickets: 0, begun: 0, floor_us: 0 }
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Tenants that run or wait.
    pub(super) fn tenants(&self) -> usize {
        self.lanes.values().filter(|lane| !lane.is_idle()).count()
    }

    /// One arrives.
    pub(super) fn arrive(&mut self, tenant: &Tenant, waker: W) -> Arrival<W> {
        self.raise_floor();
        let floor_us = self.floor_us;
        let lane = self.lanes.entry(tenant.clone()).or_insert_with(|| Lane {
            used_us: floor_us,
            running: 0,
            waiting: VecDeque::new(),
            last_turn: 0,
        });
        if lane.is_idle() {
            lane.used_us = lane.used_us.max(floor_us);
        }
        // Nobody who could run waits: a free turn is given at once.
        if self.running < self.bounds.running_max && lane.running < self.bounds.tenant_running_max {
            self.begin(tenant);
            return Arrival::Go;
        }
        let own = lane.waiting.len();
        let mut displaced = None;
        if self.waiting >= self.bounds.waiting_max {
            let longest = self.lanes.values_mut().max_by_key(|lane| lane.waiting.len());
            let Some(longest) = longest.filter(|longest| longest.waiting.len() > own + 1) else {
                self.forget_idle();
                return Arrival::Full;
            };
            displaced = longest.waiting.pop_back().map(|(_, waker)| waker);
            self.waiting -= 1;
        }
        self.tickets += 1;
        let ticket = self.tickets;
        if let Some(lane) = self.lanes.get_mut(tenant) {
            lane.waiting.push_back((ticket, waker));
            self.waiting += 1;
        }
        Arrival::Waits(ticket, displaced)
    }

    /// A turn ends that took so long. Those returned have theirs now.
    pub(super) fn leave(&mut self, tenant: &Tenant, took_us: u64) -> Vec<W> {
        if let Some(lane) = self.lanes.get_mut(tenant) {
            lane.running = lane.running.saturating_sub(1);
            lane.used_us += took_us.saturating_sub(TURN_US);
            self.running = self.running.saturating_sub(1);
        }
        let mut woken = Vec::new();
        while self.running < self.bounds.running_max {
            let Some((tenant, waker)) = self.next() else { break };
            self.begin(&tenant);
            woken.push(waker);
        }
        self.forget_idle();
        woken
    }

    /// One who waits goes away. False when he does not wait any more.
    pub(super) fn give_up(&mut self, tenant: &Tenant, ticket: u64) -> bool {
        let Some(lane) = self.lanes.get_mut(tenant) else { return false };
        let Some(index) = lane.waiting.iter().position(|(waiting, _)| *waiting == ticket) else { return false };
        lane.waiting.remove(index);
        self.waiting -= 1;
        self.forget_idle();
        true
    }

    /// Takes the one out whose turn is next.
    fn next(&mut self) -> Option<(Tenant, W)> {
        let most = self.bounds.tenant_running_max;
        let ready = self.lanes.iter_mut().filter(|(_, lane)| lane.running < most && !lane.waiting.is_empty());
        let (tenant, lane) = ready.min_by_key(|(_, lane)| {
            let ticket = lane.waiting.front().map_or(0, |(ticket, _)| *ticket);
            (lane.used_us, lane.last_turn, ticket)
        })?;
        let (_, waker) = lane.waiting.pop_front()?;
        self.waiting -= 1;
        Some((tenant.clone(), waker))
    }

    fn begin(&mut self, tenant: &Tenant) {
        self.begun += 1;
        if let Some(lane) = self.lanes.get_mut(tenant) {
            lane.running += 1;
            lane.used_us += TURN_US;
            lane.last_turn = self.begun;
            self.running += 1;
        }
    }

    /// The least that a busy lane used; when nobody is busy, the most that any did.
    fn raise_floor(&mut self) {
        let busy = self.lanes.values().filter(|lane| !lane.is_idle()).map(|lane| lane.used_us).min();
        let reached = busy.or_else(|| self.lanes.values().map(|lane| lane.used_us).max());
        self.floor_us = self.floor_us.max(reached.unwrap_or(0));
    }

    /// Lanes of which nothing has to be remembered.
    fn forget_idle(&mut self) {
        self.raise_floor();
        let floor_us = self.floor_us;
        self.lanes.retain(|_, lane| !lane.is_idle() || lane.used_us > floor_us);
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
