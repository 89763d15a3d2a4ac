//! What only the runtime can give: time, random numbers, and the settings.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use wasm_bindgen::prelude::*;
use worker::Env;

use crate::config::{Config, ConfigError};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = crypto, js_name = getRandomValues, catch)]
    fn fill_random(bytes: &mut [u8]) -> Result<JsValue, JsValue>;
}

thread_local! {
    static CONFIG: OnceCell<Rc<Config>> = const { OnceCell::new() };
    static CLOCK_OFFSET_MS: Cell<i64> = const { Cell::new(0) };
}

/// Unix milliseconds; tests may move the clock.
pub(crate) fn now_ms() -> u64 {
    worker::Date::now().as_millis().saturating_add_signed(CLOCK_OFFSET_MS.get())
}

/// Random bytes from the runtime's secure source.
pub(crate) fn random_bytes<const N: usize>() -> worker::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill_random(&mut bytes).map_err(worker::Error::from)?;
    Ok(bytes)
}

/// A number in [0, 1) that is good enough to spread retries.
pub(crate) fn jitter() -> f64 {
    worker::js_sys::Math::random()
}

/// The settings, read at the first request.
pub(crate) fn config(env: &Env) -> Result<Rc<Config>, ConfigError> {
    if let Some(config) = CONFIG.with(|cell| cell.get().cloned()) {
        return Ok(config);
    }
    let config = Rc::new(Config::from_bindings(|name| env.var(name).ok().map(|value| value.to_string()))?);
    CLOCK_OFFSET_MS.set(config.test_clock_offset_ms);
    Ok(CONFIG.with(|cell| cell.get_or_init(|| config).clone()))
}
