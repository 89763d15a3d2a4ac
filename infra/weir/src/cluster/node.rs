//! One server of the cluster: its name, where the others reach it, its ports.

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Ports that a server has unless it names its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ports {
    /// For edges, aggregators, query nodes, commands.
    pub(crate) client: u16,
    /// For the other servers.
    pub(crate) route: u16,
    /// For monitoring, over HTTP.
    pub(crate) monitor: u16,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Node {
    /// Its name: 1 to 40 lower-case letters, digits or hyphens.
    pub(crate) name: String,
    /// Address or name under which clients and the other servers reach it; its certificate is for this.
    pub(crate) host: String,
    /// Port for clients.
    pub(crate) client_port: u16,
    /// Port for the other servers.
    pub(crate) route_port: u16,
    /// Port of its monitoring.
    pub(crate) monitor_port: u16,
}

impl Node {
    /// Reads `name=host`, `name=host:client:route:monitor`, or with fewer ports. An IPv6 address stands in brackets.
    pub(crate) fn parse(text: &str, ports: Ports) -> Result<Self, String> {
        let form = "must be name=host or name=host:client-port:route-port:monitor-port";
        let (name, rest) = text.split_once('=').ok_or(form)?;
        let fits = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !fits || !(1..=40).contains(&name.len()) {
            return Err(format!("the name {name:?} must be 1 to 40 lower-case letters, digits or hyphens"));
        }
        let (host, rest) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, rest)) => (host, rest),
            None => rest.split_at(rest.find(':').unwrap_or(rest.len())),
        };
        let is_host = |host: &str| host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.');
        if host.is_empty() || !(host.parse::<IpAddr>().is_ok() || is_host(host)) {
            return Err(format!("{host:?} is neither an address nor a host name: it {form}"));
        }
        let mut given = rest.split(':').skip(1);
        let mut port = |default: u16| match given.next() {
            Some(text) => text.parse::<u16>().ok().filter(|port| *port > 0).ok_or(format!("{text:?} is not a port: it {form}")),
            None => Ok(default),
        };
        let (client_port, route_port, monitor_port) = (port(ports.client)?, port(ports.route)?, port(ports.monitor)?);
        if given.next().is_some() {
            return Err(form.to_owned());
        }
        Ok(Self { name: name.to_owned(), host: host.to_owned(), client_port, route_port, monitor_port })
    }

    /// Its host as it stands in an address.
    pub(crate) fn url_host(&self) -> String {
        if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() }
    }

    /// Where clients connect to.
    pub(crate) fn client_url(&self) -> String {
        format!("tls://{}:{}", self.url_host(), self.client_port)
    }

    /// Address to listen on: one of this machine alone if it has only that, else all.
    pub(crate) fn listen_host(&self) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => self.url_host(),
            Ok(IpAddr::V6(_)) => "[::]".to_owned(),
            _ => "0.0.0.0".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: Ports = Ports { client: 4222, route: 6222, monitor: 8222 };

    fn node(name: &str, host: &str, client_port: u16, route_port: u16, monitor_port: u16) -> Node {
        Node { name: name.to_owned(), host: host.to_owned(), client_port, route_port, monitor_port }
    }

    #[test]
    fn servers_are_named_with_and_without_ports() {
        for (text, expected) in [
            ("a=10.0.0.1", node("a", "10.0.0.1", 4222, 6222, 8222)),
            ("b=nats-0.nats.weir.svc:1", node("b", "nats-0.nats.weir.svc", 1, 6222, 8222)),
            ("c=127.0.0.1:1:2:3", node("c", "127.0.0.1", 1, 2, 3)),
            ("d=[::1]:1:2", node("d", "::1", 1, 2, 8222)),
        ] {
            assert_eq!(Node::parse(text, PORTS).as_ref(), Ok(&expected), "{text}");
        }
        for wrong in ["a", "=h", "A=h", "a=", "a=h:x", "a=h:0", "a=h:1:2:3:4", "a=h/x", "a=::1", "a b=h"] {
            assert!(Node::parse(wrong, PORTS).is_err(), "{wrong}");
        }
    }

    #[test]
    fn addresses() {
        let six = node("d", "::1", 1, 2, 3);
        assert_eq!((six.client_url().as_str(), six.listen_host().as_str()), ("tls://[::1]:1", "[::1]"));
        assert_eq!(node("a", "10.0.0.1", 1, 2, 3).listen_host(), "0.0.0.0");
    }
}
