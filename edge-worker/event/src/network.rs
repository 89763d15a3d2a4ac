//! Networks in CIDR notation: trusted proxies, and shields against addresses.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// One network: as text `192.0.2.0/24`, `2001:db8::/32`, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

/// The text is no network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not an address or a network such as 192.0.2.0/24")]
pub struct NotANetwork {
    text: String,
}

impl Network {
    /// The networks of a comma list; blanks between the commas are passed over.
    ///
    /// # Errors
    /// Names the first part that is no network.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, NotANetwork> {
        text.split(',').filter(|part| !part.trim().is_empty()).map(str::parse).collect()
    }

    /// Whether the address lies in it.
    pub fn contains(&self, address: &IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                (network.to_bits() ^ address.to_bits()).checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

impl FromStr for Network {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let parse = || {
            let (address, prefix): (IpAddr, Option<u32>) = match text.trim().split_once('/') {
                Some((address, prefix)) => (address.parse().ok()?, Some(prefix.parse().ok()?)),
                None => (text.trim().parse().ok()?, None),
            };
            let bits = if address.is_ipv4() { 32 } else { 128 };
            let prefix = prefix.unwrap_or(bits);
            (prefix <= bits).then_some(Self { address, prefix })
        };
        parse().ok_or_else(|| NotANetwork { text: text.to_owned() })
    }
}

impl TryFrom<String> for Network {
    type Error = NotANetwork;

    fn try_from(text: String) -> Result<Self, NotANetwork> {
        text.parse()
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn membership() {
        let check = |network: &str, address: &str, expected: bool| {
            let network = network.parse::<Network>().unwrap();
            assert_eq!(network.contains(&address.parse().unwrap()), expected, "{network:?} {address}");
        };
        check("127.0.0.0/8", "127.1.2.3", true);
        check("127.0.0.0/8", "128.0.0.1", false);
        check("192.0.2.7", "192.0.2.7", true);
        check("192.0.2.7", "192.0.2.6", false);
        check("0.0.0.0/0", "203.0.113.9", true);
        check("0.0.0.0/0", "::1", false);
        check("::1/128", "::1", true);
        check("2001:db8::/32", "2001:db8:1::5", true);
        check("2001:db8::/32", "2001:db9::5", false);
        check("::/0", "2001:db9::5", true);
    }

    #[test]
    fn text_form() {
        let check = |text: &str, expected: &str| assert_eq!(text.parse::<Network>().unwrap().to_string(), expected);
        check(" 192.0.2.7 ", "192.0.2.7/32");
        check("2001:DB8::/32", "2001:db8::/32");
        assert_eq!(Network::parse_list("10.0.0.0/8, ,::1").unwrap().len(), 2);
        assert_eq!(Network::parse_list(""), Ok(vec![]));
        assert!(Network::parse_list("10.0.0.0/8,x").unwrap_err().to_string().contains("\"x\""));
    }

    #[test]
    fn no_networks() {
        for text in ["", "x", "1.2.3.4/33", "::/129", "1.2.3.4/-1", "1.2.3.4/x"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
