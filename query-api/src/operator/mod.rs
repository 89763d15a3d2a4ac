//! What an operator does from the dashboard: replays, one piece of work at a time, and looking at refused payloads.
//!
//! The work itself is the aggregator's, on which this service does not depend: the program that runs the service brings [`OperatorActions`].

mod offered;
mod wanted;
mod work;

pub use offered::offered;
pub use wanted::{Action, PlanRules, PlanStart, PlanWanted};
pub use work::Work;

use crate::clock::Clock;
use serde_json::Value;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use strum::{IntoStaticStr, VariantNames};
use thiserror::Error;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a request waits for the work that it began, before it is told that it goes on.
const AT_ONCE: Duration = Duration::from_secs(2);

/// What is awaited.
pub type Answered<'a> = Pin<Box<dyn Future<Output = Result<Value, ActionError>> + Send + 'a>>;

/// Why something was not done, for people.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ActionError(pub String);

/// What the surrounding program can do. All answers are JSON.
pub trait OperatorActions: Send + Sync {
    /// How the newest replay stands; null when there never was one.
    fn status(&self) -> Answered<'_>;
    /// The newest refused payloads, oldest first.
    fn rejected(&self, limit: u32) -> Answered<'_>;
    /// Does something; `stop` interrupts it.
    fn perform(&self, action: Action, stop: CancellationToken) -> Answered<'_>;
}

/// Why a request of an operator is refused.
#[derive(Clone, Debug, PartialEq, Eq, Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
pub enum OperatorRefusal {
    /// This node cannot do it.
    #[error("This query node cannot work on files. Please use `weir replay` and `weir rejected` where the files are.")]
    #[strum(serialize = "no_operator_actions")]
    NoActions,
    /// Something is being done.
    #[error("`{0}` is still at work. Please wait for its end, or stop it.")]
    #[strum(serialize = "replay_busy")]
    Busy(&'static str),
    /// Nothing is being done.
    #[error("Nothing is at work that could be stopped.")]
    #[strum(serialize = "nothing_at_work")]
    Idle,
    /// Another replay came in between.
    #[error("The newest replay is not the one that was named in `replay_id`. Please look at it first.")]
    #[strum(serialize = "replay_changed")]
    Changed,
    /// The body cannot be used.
    #[error("{0}")]
    #[strum(serialize = "invalid_replay")]
    Invalid(String),
}

/// The operator's desk: what can be done, and what is being done.
#[derive(Clone)]
pub struct Operator {
    actions: Option<Arc<dyn OperatorActions>>,
    answer_within: Duration,
    desk: Arc<Mutex<Desk>>,
}

#[derive(Default)]
struct Desk {
    work: Option<Work>,
    stop: CancellationToken,
    /// Tells the end of the work that is under way.
    ended: watch::Sender<bool>,
}

impl Operator {
    /// A desk with these means; without any nothing can be done.
    pub fn new(actions: Option<Arc<dyn OperatorActions>>) -> Self {
        Self { actions, answer_within: AT_ONCE, desk: Arc::default() }
    }

    /// The same, which waits so long for what it begins or stops.
    #[must_use]
    pub fn answering_within(self, answer_within: Duration) -> Self {
        Self { answer_within, ..self }
    }

    /// What can be done here.
    pub fn actions(&self) -> Result<&Arc<dyn OperatorActions>, OperatorRefusal> {
        self.actions.as_ref().ok_or(OperatorRefusal::NoActions)
    }

    /// What is being done, or was done last.
    pub fn work(&self) -> Option<Work> {
        self.lock().work.clone()
    }

    /// Begins something, unless something is under way. Waits a moment for its end; it goes on behind the request. Ends with `ending`.
    pub async fn begin(&self, action: Action, clock: Clock, ending: &CancellationToken) -> Result<Work, OperatorRefusal> {
        let actions = Arc::clone(self.actions()?);
        let (stop, ended) = self.take(&action, clock, ending)?;
        let desk = Arc::clone(&self.desk);
        tokio::spawn(async move {
            let outcome = actions.perform(action, stop).await;
            let mut desk = lock(&desk);
            if let Some(work) = &mut desk.work {
                work.end(outcome, clock.now_ms());
            }
            desk.ended.send_replace(true);
        });
        self.wait(ended).await.ok_or(OperatorRefusal::Idle)
    }

    /// Stops what is under way. Waits a moment for its end.
    pub async fn stop(&self) -> Result<Work, OperatorRefusal> {
        let ended = {
            let desk = self.lock();
            if !desk.work.as_ref().is_some_and(Work::is_under_way) {
                return Err(OperatorRefusal::Idle);
            }
            desk.stop.cancel();
            desk.ended.subscribe()
        };
        self.wait(ended).await.ok_or(OperatorRefusal::Idle)
    }

    fn take(
        &self,
        action: &Action,
        clock: Clock,
        ending: &CancellationToken,
    ) -> Result<(CancellationToken, watch::Receiver<bool>), OperatorRefusal> {
        let mut desk = self.lock();
        if let Some(work) = desk.work.as_ref().filter(|work| work.is_under_way()) {
            return Err(OperatorRefusal::Busy(work.action()));
        }
        desk.work = Some(Work::begun(action.name(), clock.now_ms()));
        desk.stop = ending.child_token();
        desk.ended.send_replace(false);
        Ok((desk.stop.clone(), desk.ended.subscribe()))
    }

    async fn wait(&self, mut ended: watch::Receiver<bool>) -> Option<Work> {
        // Over in that time or not: the work says it.
        let _over = tokio::time::timeout(self.answer_within, ended.wait_for(|is_over| *is_over)).await.is_ok();
        self.work()
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
