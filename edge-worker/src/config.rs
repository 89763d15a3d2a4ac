//! Settings of the worker: its text bindings, read once.

use weir_event::network::Network;

use crate::limits::Ceiling;

/// Farthest that a test may move the clock: a thousand days, milliseconds.
const DAY_MS_1000: i64 = 86_400_000_000;

/// Why the worker cannot run with its bindings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A binding that has no default is not there.
    #[error("binding {name} is missing")]
    Missing {
        /// Its name.
        name: &'static str,
    },
    /// A binding has a value that it cannot have.
    #[error("binding {name} must be {form}")]
    Invalid {
        /// Its name.
        name: &'static str,
        /// What it must be.
        form: &'static str,
    },
}

/// The settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Config {
    /// Name of the region: `REGION`, letters, digits and `-`; default `local`.
    pub(crate) region: String,
    /// Number of partitions: `PARTITIONS`, 1–1024; default 2.
    pub(crate) partitions: u32,
    /// Batchers of one partition: `SLOTS`, 1–64; default 2.
    pub(crate) slots: u32,
    /// Where NATS is, and as whom to speak to it.
    pub(crate) nats: NatsConfig,
    /// What the operator's requests must show: `EDGE_TOKEN`, at least 16 characters.
    pub(crate) edge_token: String,
    /// Most bytes that one batcher keeps unsent: `BACKLOG_BYTES_MAX`; default 256 MiB, at least 1 MiB.
    pub(crate) backlog_bytes_max: usize,
    /// Most that this edge takes of any one site in a second: `SITE_EVENTS_PER_S`, default 3,300, and `SITE_REQUESTS_PER_S`, default 375; 0 = no
    /// ceiling. Either is a third of what an edge process takes: 9,900 events a second ten by ten, 1,126 requests a second of one event.
    pub(crate) site_ceiling: Ceiling,
    /// Peers whose forwarding headers are believed: `TRUSTED_PROXIES`, comma list of networks; default this machine.
    pub(crate) trusted_proxies: Vec<Network>,
    /// Number of this edge among those of the machine: `EDGE_INDEX`, 0–1023; default 0. Batchers of different edges have different names.
    pub(crate) edge_index: u32,
    /// The test binding `TEST_CLOCK_OFFSET_MS`: how far the worker's clock is moved, milliseconds; default 0.
    pub(crate) test_clock_offset_ms: i64,
    /// The test binding `TEST_PANIC=1`: the operator may ask for a panic.
    pub(crate) test_panic: bool,
}

/// Where NATS is, and as whom to speak to it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct NatsConfig {
    /// `NATS_SERVERS`, `host:port` of each, separated by commas; default `127.0.0.1:4222`.
    pub(crate) servers: Vec<Server>,
    /// `NATS_USER`, default `edge`.
    pub(crate) user: String,
    /// `NATS_PASSWORD`.
    pub(crate) password: String,
    /// `NATS_TLS`: `on` or `off`; default `off`.
    pub(crate) tls: bool,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Server {
    /// Its name or address, which its certificate must name.
    pub(crate) host: String,
    /// Its port.
    pub(crate) port: u16,
}

impl std::fmt::Debug for NatsConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NatsConfig").field("servers", &self.servers).field("user", &self.user).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads the bindings.
    ///
    /// # Errors
    /// Names the binding that is missing or wrong.
    pub(crate) fn from_bindings(binding: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let text =
            |name: &'static str, default: &str| binding(name).filter(|v| !v.is_empty()).unwrap_or_else(|| default.to_owned());
        let region = text("REGION", "local");
        if !region.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
            return Err(ConfigError::Invalid { name: "REGION", form: "letters, digits and hyphens" });
        }
        let edge_token = text("EDGE_TOKEN", "");
        if edge_token.len() < 16 {
            return Err(ConfigError::Invalid { name: "EDGE_TOKEN", form: "at least 16 characters" });
        }
        let proxies = binding("TRUSTED_PROXIES").unwrap_or_else(|| "127.0.0.0/8,::1/128".to_owned());
        let trusted_proxies = Network::parse_list(&proxies)
            .map_err(|_| ConfigError::Invalid { name: "TRUSTED_PROXIES", form: "a comma list of networks" })?;
        Ok(Self {
            region,
            partitions: number("PARTITIONS", &text("PARTITIONS", "2"), 1, 1_024)?,
            slots: number("SLOTS", &text("SLOTS", "2"), 1, 64)?,
            nats: NatsConfig {
                servers: servers(&text("NATS_SERVERS", "127.0.0.1:4222"))?,
                user: text("NATS_USER", "edge"),
                password: binding("NATS_PASSWORD").ok_or(ConfigError::Missing { name: "NATS_PASSWORD" })?,
                tls: text("NATS_TLS", "off") == "on",
            },
            edge_token,
            backlog_bytes_max: number("BACKLOG_BYTES_MAX", &text("BACKLOG_BYTES_MAX", "268435456"), 1 << 20, 1 << 31)?,
            site_ceiling: Ceiling {
                events_per_s: number("SITE_EVENTS_PER_S", &text("SITE_EVENTS_PER_S", "3300"), 0, u32::MAX)?,
                requests_per_s: number("SITE_REQUESTS_PER_S", &text("SITE_REQUESTS_PER_S", "375"), 0, u32::MAX)?,
            },
            trusted_proxies,
            edge_index: number("EDGE_INDEX", &text("EDGE_INDEX", "0"), 0, 1_023)?,
            test_clock_offset_ms: number("TEST_CLOCK_OFFSET_MS", &text("TEST_CLOCK_OFFSET_MS", "0"), -DAY_MS_1000, DAY_MS_1000)?,
            test_panic: text("TEST_PANIC", "") == "1",
        })
    }
}

fn servers(list: &str) -> Result<Vec<Server>, ConfigError> {
    let wrong = ConfigError::Invalid { name: "NATS_SERVERS", form: "a comma list of host:port" };
    let server = |text: &str| {
        let (host, port) = text.trim().rsplit_once(':').filter(|(host, _)| !host.is_empty())?;
        Some(Server { host: host.to_owned(), port: port.parse().ok().filter(|port| *port > 0)? })
    };
    list.split(',').map(server).collect::<Option<_>>().ok_or(wrong)
}

fn number<T: std::str::FromStr + PartialOrd + Copy>(name: &'static str, text: &str, min: T, max: T) -> Result<T, ConfigError> {
    let value: Option<T> = text.trim().parse().ok();
    value.filter(|v| *v >= min && *v <= max).ok_or(ConfigError::Invalid { name, form: "a number within its limits" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(bindings: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let all = [bindings, &[("EDGE_TOKEN", "0123456789abcdef"), ("NATS_PASSWORD", "secret")]].concat();
        Config::from_bindings(|name| all.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn defaults() {
        let config = config(&[]).unwrap();
        assert_eq!((config.region.as_str(), config.partitions, config.slots), ("local", 2, 2));
        assert_eq!(config.nats.servers, [Server { host: "127.0.0.1".to_owned(), port: 4_222 }]);
        assert_eq!(config.trusted_proxies.len(), 2);
        assert_eq!(config.site_ceiling, Ceiling { events_per_s: 3_300, requests_per_s: 375 });
        assert!(!format!("{config:?}").contains("secret"));
    }

    #[test]
    fn a_ceiling_of_zero_is_none() {
        let config = config(&[("SITE_EVENTS_PER_S", "0"), ("SITE_REQUESTS_PER_S", "7")]).unwrap();
        assert_eq!(config.site_ceiling, Ceiling { events_per_s: 0, requests_per_s: 7 });
    }

    #[test]
    fn several_servers() {
        let hosts = |list: &str| servers(list).unwrap().into_iter().map(|server| (server.host, server.port)).collect::<Vec<_>>();
        assert_eq!(hosts("a:1, b.c:2,[::1]:3"), [("a".to_owned(), 1), ("b.c".to_owned(), 2), ("[::1]".to_owned(), 3)]);
    }

    #[test]
    fn wrong_bindings_are_named() {
        let check = |name: &'static str, value: &str| match config(&[(name, value)]) {
            Err(ConfigError::Invalid { name: found, .. }) => assert_eq!(found, name),
            other => panic!("{name}={value}: {other:?}"),
        };
        check("REGION", "eu.west");
        check("PARTITIONS", "0");
        check("SLOTS", "65");
        for servers in ["x", "a:", "a:0", ":1", "a:1,", "a:1,b"] {
            check("NATS_SERVERS", servers);
        }
        check("EDGE_TOKEN", "short");
        check("BACKLOG_BYTES_MAX", "7");
        check("SITE_EVENTS_PER_S", "-1");
        check("SITE_REQUESTS_PER_S", "many");
        check("TRUSTED_PROXIES", "everyone");
        check("EDGE_INDEX", "1024");
        check("TEST_CLOCK_OFFSET_MS", "tomorrow");
        assert_eq!(config(&[("TRUSTED_PROXIES", "")]).unwrap().trusted_proxies, []);
        assert_eq!(
            Config::from_bindings(|name| (name == "EDGE_TOKEN").then(|| "x".repeat(16))),
            Err(ConfigError::Missing { name: "NATS_PASSWORD" })
        );
    }
}
