//! Referrer spam: visits that claim to come from hosts which operators have listed, such as Matomo's list.

use std::cell::RefCell;
use std::collections::HashSet;

use worker::Env;

use crate::kept::{self, Kept};

/// The list: one host a line; lines that begin with `#` are comments. Sub-domains are meant too.
const FILE: &str = "spam-referrers.txt";
/// Largest list, bytes.
const BYTES_MAX: usize = 2_000_000;

thread_local! {
    static HOSTS: RefCell<Kept<HashSet<String>>> = const { RefCell::new(Kept::new()) };
}

/// Which of the referrers are spam, in their order.
pub(crate) async fn judge<'a>(env: &Env, referrers: impl Iterator<Item = &'a str>) -> Vec<bool> {
    let mut referrers = referrers.peekable();
    let hosts = match referrers.peek() {
        Some(_) => kept::current(&HOSTS, env, FILE, BYTES_MAX, parse).await,
        None => None,
    };
    referrers.map(|referrer| hosts.as_ref().is_some_and(|hosts| is_spam(hosts, referrer))).collect()
}

fn parse(bytes: Vec<u8>) -> Result<HashSet<String>, String> {
    let text = String::from_utf8(bytes).map_err(|error| error.to_string())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with(['#', '!']));
    Ok(lines.map(str::to_lowercase).collect())
}

fn is_spam(hosts: &HashSet<String>, referrer: &str) -> bool {
    let rest = referrer.split_once("://").map_or(referrer, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#', ':']).next().unwrap_or_default().to_lowercase();
    let mut name = host.as_str();
    while !name.is_empty() {
        if hosts.contains(name) {
            return true;
        }
        name = name.split_once('.').map_or("", |(_, parent)| parent);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listed_hosts_and_their_sub_domains() {
        let hosts = parse(b"# spam\n! too\n spam.example \nBad.example\n\n".to_vec()).unwrap();
        assert_eq!(hosts.len(), 2);
        let check = |referrer: &str, expected: bool| assert_eq!(is_spam(&hosts, referrer), expected, "{referrer}");
        check("https://spam.example/x", true);
        check("http://WWW.Spam.example:80", true);
        check("bad.example", true);
        check("https://notspam.example/", false);
        check("https://example/?spam.example", false);
        check("", false);
        assert!(parse(vec![0xff]).is_err());
    }
}
