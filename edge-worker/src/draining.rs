//! The end of an edge: it is told that nobody should send to it any more, then that it takes nothing more.

use std::cell::Cell;

/// How far the end has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It serves.
    #[default]
    Open,
    /// It takes events; its health check says that it should get none.
    Leaving,
    /// It takes no events and sends what it holds.
    Closed,
}

thread_local! {
    static STATE: Cell<State> = const { Cell::new(State::Open) };
}

impl State {
    /// The state of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "open" => Some(Self::Open),
            "leaving" => Some(Self::Leaving),
            "closed" => Some(Self::Closed),
            _ => None,
        }
    }
}

/// The state of this process.
pub(crate) fn state() -> State {
    STATE.get()
}

/// Sets it.
pub(crate) fn set(state: State) {
    STATE.set(state);
}
