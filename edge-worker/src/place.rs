//! The country of an address, for workers to which nobody tells it.

use std::cell::RefCell;
use std::net::IpAddr;
use std::rc::Rc;

use weir_event::place::{Countries, ENTRIES_MAX};
use worker::Env;

use crate::kept::{self, Kept};

/// The table, as `weir countries` writes it.
const FILE: &str = "countries.bin";
/// Largest table, bytes: all entries of both kinds.
const BYTES_MAX: usize = 16 + ENTRIES_MAX * 16;

thread_local! {
    static COUNTRIES: RefCell<Kept<Countries>> = const { RefCell::new(Kept::new()) };
}

/// Reads the table before the first event needs it.
pub(crate) async fn load(env: &Env) {
    table(env).await;
}

/// The country of an address; `None` = unknown, or there is no table.
pub(crate) async fn country(env: &Env, address: &IpAddr) -> Option<String> {
    table(env).await?.country(address).map(str::to_owned)
}

async fn table(env: &Env) -> Option<Rc<Countries>> {
    let parse = |bytes| Countries::parse(bytes).map_err(|error| error.to_string());
    kept::current(&COUNTRIES, env, FILE, BYTES_MAX, parse).await
}
