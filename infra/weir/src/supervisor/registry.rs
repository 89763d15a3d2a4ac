//! Which child has which process id: told to `run.json` and to the reaper at every change.

use super::child::Program;
use crate::home::{Home, RunFile};
use anyhow::Result;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Deaths in a row after which a child counts as not staying up.
const UNSTABLE_DEATHS: u32 = 4;

/// The children's process ids, and how often each died lately.
pub(crate) struct Registry {
    home: Home,
    state: Mutex<State>,
}

struct State {
    run: RunFile,
    running: BTreeSet<u32>,
    reaper: Option<File>,
    deaths: BTreeMap<String, (u32, PathBuf)>,
}

impl Registry {
    /// Nothing runs yet; `run.json` is written with the first child.
    pub(crate) fn new(home: Home, run: RunFile) -> Self {
        let state = State { run, running: BTreeSet::new(), reaper: None, deaths: BTreeMap::new() };
        Self { home, state: Mutex::new(state) }
    }

    /// Changes what `run.json` says beside the process ids.
    pub(crate) fn update(&self, change: impl FnOnce(&mut RunFile)) -> Result<()> {
        let mut state = self.lock();
        change(&mut state.run);
        self.home.write_run_file(&state.run)
    }

    pub(super) fn started(&self, name: &str, id: u32) -> Result<()> {
        let mut state = self.lock();
        state.running.insert(id);
        state.tell(&format!("+{id}\n"));
        state.run.pids.insert(name.to_owned(), id);
        self.home.write_run_file(&state.run)
    }

    pub(super) fn ended(&self, id: u32) {
        let mut state = self.lock();
        state.running.remove(&id);
        state.tell(&format!("-{id}\n"));
    }

    pub(super) fn died(&self, program: &Program, deaths: u32) {
        self.lock().deaths.insert(program.name.clone(), (deaths, program.log.clone()));
    }

    /// A child that does not stay up, and its log.
    pub(super) fn unstable(&self) -> Option<(String, PathBuf)> {
        let state = self.lock();
        state
            .deaths
            .iter()
            .find(|(_, (deaths, _))| *deaths >= UNSTABLE_DEATHS)
            .map(|(name, (_, log))| (name.clone(), log.clone()))
    }

    pub(super) fn reaper_started(&self, input: File) {
        let mut state = self.lock();
        state.reaper = Some(input);
        let lines: Vec<String> = state.running.iter().map(|id| format!("+{id}\n")).collect();
        state.tell(&lines.concat());
    }

    pub(super) fn reaper_ended(&self) {
        self.lock().reaper = None;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// A reaper that is gone is started again and told everything then.
    fn tell(&mut self, lines: &str) {
        if let Some(reaper) = &mut self.reaper
            && reaper.write_all(lines.as_bytes()).is_err()
        {
            self.reaper = None;
        }
    }
}
