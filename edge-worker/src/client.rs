//! Who sent a request: the client's address and country, and whose word is taken for them.

use std::net::IpAddr;

use weir_event::identity::normalise_address;

use crate::cidr::Network;

/// Headers that name the client, the first valid one wins.
const ADDRESS_HEADERS: [&str; 4] = ["x-plausible-ip", "cf-connecting-ip", "b-forwarded-for", "x-forwarded-for"];

/// What the runtime says of the connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    /// `address:port` of the socket (plain workerd).
    pub(crate) client_ip: Option<String>,
    /// The request came through Cloudflare's network, which sets `CF-Connecting-IP` itself.
    pub(crate) cloudflare: bool,
    /// Country that Cloudflare found.
    pub(crate) country: Option<String>,
}

/// The sender of a request. Lives in memory only, and must never be logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address, where known.
    pub(crate) address: Option<IpAddr>,
    /// Its country as told by someone who is believed; empty when unknown.
    pub(crate) country: String,
}

// Without the address.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("country", &self.country).finish_non_exhaustive()
    }
}

/// Finds the client. Forwarding headers are believed only when the peer is a trusted proxy.
pub(crate) fn identify(peer: &Peer, trusted: &[Network], header: impl Fn(&str) -> Option<String>) -> Client {
    let address = |name: &str| header(name).and_then(|value| value.split(',').next().and_then(normalise_address));
    let peer_address =
        if peer.cloudflare { address("cf-connecting-ip") } else { peer.client_ip.as_deref().and_then(normalise_address) };
    let is_trusted = peer_address.is_some_and(|address| trusted.iter().any(|network| network.contains(&address)));
    let forwarded = || {
        let named = ADDRESS_HEADERS
            .iter()
            .filter(|name| !(peer.cloudflare && **name == "cf-connecting-ip"))
            .find_map(|name| address(name));
        named.or_else(|| header("forwarded").as_deref().and_then(forwarded_for))
    };
    let country = match &peer.country {
        Some(country) if peer.cloudflare => Some(country.clone()),
        _ if is_trusted => header("cf-ipcountry"),
        _ => None,
    };
    Client { address: if is_trusted { forwarded().or(peer_address) } else { peer_address }, country: country.unwrap_or_default() }
}

/// The first `for=` of a `Forwarded` header.
fn forwarded_for(value: &str) -> Option<IpAddr> {
    value.split([',', ';']).find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") { normalise_address(value) } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(peer: &Peer, headers: &[(&str, &str)], address: &str, country: &str) {
        let trusted = [Network::parse("127.0.0.0/8").unwrap(), Network::parse("::1/128").unwrap()];
        let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let client = identify(peer, &trusted, header);
        let found = client.address.map(|a| a.to_string()).unwrap_or_default();
        assert_eq!((found.as_str(), client.country.as_str()), (address, country), "{headers:?}");
    }

    #[test]
    fn a_trusted_proxy_is_believed() {
        let peer = Peer { client_ip: Some("127.0.0.1:5555".into()), ..Peer::default() };
        check(&peer, &[], "127.0.0.1", "");
        check(&peer, &[("x-forwarded-for", "192.0.2.1, 10.0.0.1"), ("cf-ipcountry", "DE")], "192.0.2.1", "DE");
        check(&peer, &[("x-forwarded-for", "192.0.2.1"), ("x-plausible-ip", "192.0.2.9")], "192.0.2.9", "");
        check(&peer, &[("x-plausible-ip", "nonsense"), ("b-forwarded-for", "[2001:db8::1]:80")], "2001:db8::1", "");
        check(&peer, &[("forwarded", "proto=https;For=\"[2001:db8::7]:4711\", for=10.0.0.1")], "2001:db8::7", "");
        check(&peer, &[("x-forwarded-for", "unknown")], "127.0.0.1", "");
        check(
            &Peer { client_ip: Some("[::1]:80".into()), ..Peer::default() },
            &[("x-forwarded-for", "192.0.2.1")],
            "192.0.2.1",
            "",
        );
    }

    #[test]
    fn anyone_else_is_not() {
        let peer = Peer { client_ip: Some("198.51.100.4:5555".into()), country: Some("NO".into()), ..Peer::default() };
        let forged = [
            ("x-forwarded-for", "192.0.2.1"),
            ("cf-connecting-ip", "192.0.2.2"),
            ("cf-ipcountry", "DE"),
            ("x-plausible-ip", "192.0.2.3"),
        ];
        check(&peer, &forged, "198.51.100.4", "");
        check(&Peer::default(), &forged, "", "");
    }

    #[test]
    fn cloudflare_names_the_client() {
        let peer = Peer { client_ip: None, cloudflare: true, country: Some("NO".into()) };
        check(&peer, &[("cf-connecting-ip", "203.0.113.5"), ("x-forwarded-for", "192.0.2.1")], "203.0.113.5", "NO");
        check(&peer, &[("cf-connecting-ip", "127.0.0.9"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1", "NO");
    }
}
