//! Requests by route: the template, never the path, so that there are as many as the router has.

use std::collections::BTreeMap;
use std::fmt::Arguments;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Count and time of the requests of one route with one status.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    requests: u64,
    micros: u64,
}

/// All routes that were asked for.
#[derive(Debug, Default)]
pub struct Routes(Mutex<BTreeMap<(Arc<str>, u16), Sum>>);

impl Routes {
    /// Counts an answer.
    pub fn answered(&self, route: &Arc<str>, status: u16, elapsed: Duration) {
        let mut sums = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = sums.entry((Arc::clone(route), status)).or_default();
        sum.requests += 1;
        sum.micros += elapsed.as_micros() as u64;
    }

    /// Writes the counts as lines of Prometheus' text.
    pub(super) fn render(&self, line: &mut impl FnMut(Arguments<'_>)) {
        let sums = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        line(format_args!(
            "# HELP query_route_duration_seconds Answered requests by route and status.\n# TYPE query_route_duration_seconds summary"
        ));
        for ((route, status), sum) in &sums {
            let labels = format!("route=\"{route}\",status=\"{status}\"");
            line(format_args!("query_route_duration_seconds_sum{{{labels}}} {}", sum.micros as f64 / 1e6));
            line(format_args!("query_route_duration_seconds_count{{{labels}}} {}", sum.requests));
        }
    }
}
