//! The address of NATS, as services have it, in the form that the worker takes.

use anyhow::{Context as _, Result, bail};

/// `host:port` of each server, separated by commas, and whether they speak TLS.
pub(super) fn of(url: &str) -> Result<(String, bool)> {
    let mut servers = Vec::new();
    let mut tls = Vec::new();
    for one in url.split(',').map(str::trim) {
        let (scheme, server) = one.split_once("://").unwrap_or(("nats", one));
        match scheme {
            "tls" => tls.push(true),
            "nats" => tls.push(false),
            _ => bail!("the address of NATS {one} must begin with tls:// or nats://"),
        }
        let server = server.trim_end_matches('/');
        if server.contains('@') {
            bail!("the address of NATS must not hold a password: set WEIR_NATS_PASSWORD_FILE");
        }
        let has_port = server.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok());
        servers.push(if has_port { server.to_owned() } else { format!("{server}:4222") });
    }
    let first = *tls.first().context("the address of NATS is empty")?;
    if tls.iter().any(|one| *one != first) {
        bail!("the addresses of NATS in {url} are partly with TLS and partly without: use one of both for all");
    }
    Ok((servers.join(","), first))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        assert_eq!(of("tls://a:1, tls://b").unwrap(), ("a:1,b:4222".to_owned(), true));
        assert_eq!(of("nats://127.0.0.1:4222/").unwrap(), ("127.0.0.1:4222".to_owned(), false));
        assert_eq!(of("[::1]:5").unwrap(), ("[::1]:5".to_owned(), false));
        for wrong in ["tls://a,nats://b", "http://a", "tls://user:password@a:1"] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }
}
