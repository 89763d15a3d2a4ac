//! Which ports to listen on: a given one, a free one, or the next free one.

use anyhow::{Result, anyhow, bail};
use std::net::{Ipv4Addr, TcpListener};

/// Ports that are tried for "a free one". They lie below those that systems give to outgoing connections, so that none of these takes the
/// port while a child is being restarted.
const FREE: std::ops::Range<u16> = 15_000..32_000;
/// Ports that are tried after a taken one.
const NEXT_TRIED: u16 = 200;

/// What a port is for, and the variable and flag that set it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Purpose {
    /// What listens there.
    pub(crate) name: &'static str,
    /// The environment variable.
    pub(crate) variable: &'static str,
}

/// The collector's port.
pub(crate) const COLLECTOR: Purpose = Purpose { name: "the collector", variable: "WEIR_COLLECTOR_PORT" };
/// The query API's port.
pub(crate) const QUERY: Purpose = Purpose { name: "the query API", variable: "WEIR_QUERY_PORT" };
/// The NATS server's port.
pub(crate) const NATS: Purpose = Purpose { name: "nats-server", variable: "WEIR_NATS_PORT" };

/// What to do when the wanted port is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum IfTaken {
    /// Say so and give up.
    Fail,
    /// Take the next free one.
    UseNext,
}

/// A port of this machine that is held until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    /// Its number.
    pub(crate) port: u16,
    listener: TcpListener,
}

impl Held {
    fn take(port: u16) -> Option<Self> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok().map(|listener| Self { port, listener })
    }

    /// Lets it go, for a child to take.
    pub(crate) fn release(self) -> u16 {
        drop(self.listener);
        self.port
    }
}

/// Takes the wanted port (0 = any free one).
pub(crate) fn choose(wanted: u16, purpose: Purpose, if_taken: IfTaken) -> Result<Held> {
    if wanted == 0 {
        return free(random_start()?)
            .ok_or_else(|| anyhow!("no port between {} and {} is free for {}", FREE.start, FREE.end, purpose.name));
    }
    if let Some(held) = Held::take(wanted) {
        return Ok(held);
    }
    if if_taken == IfTaken::UseNext {
        return next(wanted, purpose);
    }
    bail!(
        "port {wanted} for {} is taken: end the program that listens there, or set {} to another port (0 takes a free one)",
        purpose.name,
        purpose.variable
    )
}

/// Takes the next free port after one that is held.
pub(crate) fn next(after: u16, purpose: Purpose) -> Result<Held> {
    (1..=NEXT_TRIED)
        .filter_map(|step| after.checked_add(step))
        .find_map(Held::take)
        .ok_or_else(|| anyhow!("none of the {NEXT_TRIED} ports after {after} is free for {}", purpose.name))
}

/// The first free port from a start on, round the range.
fn free(start: u16) -> Option<Held> {
    let count = FREE.end - FREE.start;
    (0..count).find_map(|step| Held::take(FREE.start + (start % count + step) % count))
}

fn random_start() -> Result<u16> {
    let number = getrandom::u32().map_err(|error| anyhow!("the system gives no random bytes: {error}"))?;
    Ok((number >> 16) as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_held() {
        let first = choose(0, QUERY, IfTaken::Fail).unwrap();
        assert!(FREE.contains(&first.port));
        let second = free(first.port - FREE.start).expect("another one");
        assert_ne!(first.port, second.port);
    }

    #[test]
    fn a_taken_port_is_an_error_that_names_it() {
        let held = choose(0, QUERY, IfTaken::Fail).unwrap();
        let error = choose(held.port, COLLECTOR, IfTaken::Fail).unwrap_err().to_string();
        assert!(error.contains(&held.port.to_string()), "{error}");
        assert!(error.contains("WEIR_COLLECTOR_PORT"), "{error}");
    }

    #[test]
    fn the_demo_takes_the_next_one() {
        let held = choose(0, QUERY, IfTaken::Fail).unwrap();
        let next = choose(held.port, COLLECTOR, IfTaken::UseNext).unwrap();
        assert!(next.port > held.port, "{} after {}", next.port, held.port);
    }

    #[test]
    fn a_released_port_can_be_taken_again() {
        let port = choose(0, NATS, IfTaken::Fail).unwrap().release();
        assert_eq!(choose(port, NATS, IfTaken::Fail).unwrap().port, port);
    }
}
