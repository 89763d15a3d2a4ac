//! Between machines secrets go through TLS: whoever names an address of another machine without it is told so at the start, unless he says that the line is
//! a private one.

use anyhow::Result;
use std::net::IpAddr;
use thiserror::Error;

/// `1`: passwords, tokens and keys may go to other machines in the clear.
const VARIABLE: &str = "WEIR_ALLOW_PLAINTEXT";

/// Why an address is not used.
#[derive(Debug, Error, PartialEq, Eq)]
pub(crate) enum PlaintextError {
    /// Everybody on the way could read the secret.
    #[error(
        "{what} would go to {host} without TLS, readable on the way: name it with {scheme}://, or set {VARIABLE}=1 if nobody else is on that network"
    )]
    Clear {
        /// The secret.
        what: &'static str,
        /// The other machine.
        host: String,
        /// What the address should begin with.
        scheme: &'static str,
    },
    /// Addresses are shown: in arguments, logs, answers.
    #[error("the address of {host} holds a user or password, which addresses show everywhere: name a file by {variable} instead")]
    Credentials {
        /// The machine.
        host: String,
        /// The variable that names a file.
        variable: &'static str,
    },
    /// The setting is neither yes nor no.
    #[error("{VARIABLE} is {found:?}, it must be 1 or 0")]
    Setting {
        /// Its value.
        found: String,
    },
}

/// Refuses addresses of NATS (separated by commas) to which a password would go in the clear.
pub(crate) fn refuse_nats(urls: &str) -> Result<()> {
    Ok(nats(urls, is_allowed(std::env::var(VARIABLE).ok().as_deref())?)?)
}

/// Refuses an `http://` address of another machine to which a secret would go.
pub(crate) fn refuse_http(url: &str, what: &'static str) -> Result<()> {
    Ok(http(url, what, is_allowed(std::env::var(VARIABLE).ok().as_deref())?)?)
}

fn is_allowed(setting: Option<&str>) -> Result<bool, PlaintextError> {
    match setting {
        None | Some("" | "0" | "false" | "no") => Ok(false),
        Some("1" | "true" | "yes") => Ok(true),
        Some(found) => Err(PlaintextError::Setting { found: found.to_owned() }),
    }
}

fn nats(urls: &str, is_allowed: bool) -> Result<(), PlaintextError> {
    let addresses: Vec<Address> = urls.split(',').map(Address::of).collect();
    if let Some(address) = addresses.iter().find(|address| address.has_credentials) {
        return Err(PlaintextError::Credentials { host: address.host.clone(), variable: "WEIR_NATS_PASSWORD_FILE" });
    }
    // One with TLS makes the client insist on it everywhere.
    let is_clear = addresses.iter().all(|address| address.scheme != "tls");
    match addresses.into_iter().find(|address| !address.is_here()) {
        Some(address) if is_clear && !is_allowed => {
            Err(PlaintextError::Clear { what: "the NATS password", host: address.host, scheme: "tls" })
        }
        _ => Ok(()),
    }
}

fn http(url: &str, what: &'static str, is_allowed: bool) -> Result<(), PlaintextError> {
    let address = Address::of(url);
    if url.is_empty() || is_allowed || address.scheme == "https" || address.is_here() {
        return Ok(());
    }
    Err(PlaintextError::Clear { what, host: address.host, scheme: "https" })
}

/// What of an address matters here.
struct Address {
    scheme: String,
    host: String,
    has_credentials: bool,
}

impl Address {
    fn of(url: &str) -> Self {
        let (scheme, rest) = url.trim().split_once("://").unwrap_or(("", url.trim()));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (credentials, place) = authority.rsplit_once('@').map_or((None, authority), |(before, place)| (Some(before), place));
        let host = match place.strip_prefix('[').and_then(|inside| inside.split_once(']')) {
            Some((six, _)) => six,
            // More than one colon: an IPv6 address without brackets.
            None if place.matches(':').count() > 1 => place,
            None => place.split(':').next().unwrap_or_default(),
        };
        Self { scheme: scheme.to_ascii_lowercase(), host: host.to_ascii_lowercase(), has_credentials: credentials.is_some() }
    }

    /// What goes there stays on this machine.
    fn is_here(&self) -> bool {
        let is_loopback = |address: IpAddr| match address {
            IpAddr::V6(six) => six.to_ipv4_mapped().map_or(six.is_loopback(), |four| four.is_loopback()),
            IpAddr::V4(four) => four.is_loopback(),
        };
        self.host == "localhost" || self.host.parse().is_ok_and(is_loopback)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_to_other_machines_through_tls_alone() {
        for good in [
            "nats://127.0.0.1:4222",
            "127.0.0.1:4222",
            "nats://localhost",
            "NATS://[::1]:4222/",
            "nats://[::ffff:127.0.0.1]:1",
            "tls://nats.example:4222",
            "tls://a, tls://b:1",
            // The client insists on TLS with both.
            "tls://a,nats://b",
        ] {
            assert_eq!(nats(good, false), Ok(()), "{good}");
        }
        for (wrong, host) in [
            ("nats://nats.example:4222", "nats.example"),
            ("10.0.0.1", "10.0.0.1"),
            ("nats://[2001:db8::1]:4222", "2001:db8::1"),
            ("nats://127.0.0.1:1,nats://b:2", "b"),
            ("nats://localhost.example", "localhost.example"),
            ("nats://127.0.0.1.example", "127.0.0.1.example"),
            ("ws://x", "x"),
            ("nats://tls", "tls"),
        ] {
            let error = nats(wrong, false).unwrap_err();
            assert_eq!(
                error,
                PlaintextError::Clear { what: "the NATS password", host: host.to_owned(), scheme: "tls" },
                "{wrong}"
            );
            assert!(error.to_string().contains("tls://") && error.to_string().contains("WEIR_ALLOW_PLAINTEXT=1"), "{error}");
            assert_eq!(nats(wrong, true), Ok(()), "{wrong}");
        }
    }

    #[test]
    fn an_address_that_holds_a_password_is_refused_and_does_not_show_it() {
        for url in ["tls://user:hidden@a:1", "nats://hidden@127.0.0.1", "tls://a,tls://user:hi@dden@b"] {
            let error = nats(url, true).unwrap_err();
            assert!(matches!(error, PlaintextError::Credentials { .. }), "{url}");
            assert!(!error.to_string().contains("hid") && error.to_string().contains("WEIR_NATS_PASSWORD_FILE"), "{error}");
        }
    }

    #[test]
    fn a_token_goes_to_other_machines_through_tls_alone() {
        for good in ["", "http://127.0.0.1:8080", "http://localhost:1/x", "https://edge.example", "HTTPS://edge.example/"] {
            assert_eq!(http(good, "the token", false), Ok(()), "{good}");
        }
        for wrong in ["http://edge.example", "http://10.0.0.1:8080/", "edge.example:80", "http://127.0.0.1@edge.example/"] {
            assert!(matches!(http(wrong, "the token", false), Err(PlaintextError::Clear { what: "the token", .. })), "{wrong}");
            assert_eq!(http(wrong, "the token", true), Ok(()));
        }
    }

    #[test]
    fn the_setting_is_yes_or_no() {
        let values = [None, Some(""), Some("0"), Some("no"), Some("1"), Some("true")].map(|value| is_allowed(value).unwrap());
        assert_eq!(values, [false, false, false, false, true, true]);
        assert!(is_allowed(Some("perhaps")).unwrap_err().to_string().contains("\"perhaps\""));
    }
}
