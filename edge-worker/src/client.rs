//! Who sent a request: the client's address and place, and whose word is taken for them.

use std::net::IpAddr;

use weir_event::identity::normalise_address;
use weir_event::model::BotMark;
use weir_event::network::Network;

/// Headers that name the client, the first valid one wins.
const ADDRESS_HEADERS: [&str; 4] = ["x-plausible-ip", "cf-connecting-ip", "b-forwarded-for", "x-forwarded-for"];
/// Headers in which a proxy names the client's country: Cloudflare's, `CloudFront`'s, Vercel's, Fastly's customary one.
const COUNTRY_HEADERS: [&str; 4] = ["cf-ipcountry", "cloudfront-viewer-country", "x-vercel-ip-country", "x-country-code"];
/// The subdivision without its country.
const REGION_HEADERS: [&str; 3] = ["cf-region-code", "cloudfront-viewer-country-region", "x-vercel-ip-country-region"];
/// The city.
const CITY_HEADERS: [&str; 3] = ["cf-ipcity", "cloudfront-viewer-city", "x-vercel-ip-city"];
/// The code that stands for the country of whoever hides behind an anonymising network.
const ANONYMOUS: &str = "A1";

/// What the runtime says of the connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Peer {
    /// `address:port` of the socket (plain workerd).
    pub(crate) client_ip: Option<String>,
    /// The request came through Cloudflare's network, which sets `CF-Connecting-IP` itself.
    pub(crate) cloudflare: bool,
    /// Where Cloudflare found the client to be.
    pub(crate) place: Place,
    /// Cloudflare knows it as a good bot.
    pub(crate) is_verified_bot: bool,
}

/// Where a client is; empty texts are unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// ISO 3166-1 alpha-2.
    pub(crate) country: String,
    /// ISO 3166-2, `DE-BE`.
    pub(crate) region: String,
    /// Name of the city.
    pub(crate) city: String,
}

/// The sender of a request. Lives in memory only, and must never be logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Its address, where known.
    pub(crate) address: Option<IpAddr>,
    /// Its user agent.
    pub(crate) user_agent: String,
    /// Its place as told by someone who is believed.
    pub(crate) place: Place,
    /// What its headers say of automation.
    pub(crate) bot: BotMark,
    /// A trusted proxy says that the address is not to be counted; the reason.
    pub(crate) threat: Option<&'static str>,
}

// Without the address.
impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("place", &self.place).field("bot", &self.bot).finish_non_exhaustive()
    }
}

/// Finds the client. Forwarding headers are believed only when the peer is a trusted proxy, or the sender itself is trusted.
pub(crate) fn identify(
    peer: &Peer,
    proxies: &[Network],
    is_trusted_sender: bool,
    header: impl Fn(&str) -> Option<String>,
) -> Client {
    let address = |name: &str| header(name).and_then(|value| value.split(',').next().and_then(normalise_address));
    let peer_address =
        if peer.cloudflare { address("cf-connecting-ip") } else { peer.client_ip.as_deref().and_then(normalise_address) };
    let is_proxy = peer_address.is_some_and(|address| proxies.iter().any(|network| network.contains(&address)));
    let is_trusted = is_trusted_sender || is_proxy;
    let forwarded = || {
        let named = ADDRESS_HEADERS
            .iter()
            .filter(|name| !(peer.cloudflare && **name == "cf-connecting-ip"))
            .find_map(|name| address(name));
        named.or_else(|| header("forwarded").as_deref().and_then(forwarded_for))
    };
    let named = if is_trusted { forwarded() } else { None };
    let kind = if is_trusted { header("x-plausible-ip-type") } else { None };
    let mut place = match named {
        // Cloudflare's own word is about whoever connected to it.
        None if peer.cloudflare => peer.place.clone(),
        _ if is_trusted => told_place(&header),
        _ => Place::default(),
    };
    let threat = match kind.as_deref() {
        Some("dc_ip") => Some("dc_ip"),
        Some("threat_ip") => Some("threat_ip"),
        Some("anonymous_vpn_ip") => {
            place = Place { country: ANONYMOUS.to_owned(), ..Place::default() };
            None
        }
        _ => None,
    };
    let user_agent = header("user-agent").unwrap_or_default();
    let bot = bot_mark(&user_agent, peer.is_verified_bot, &header);
    Client { address: named.or(peer_address), user_agent, place, bot, threat }
}

fn told_place(header: &impl Fn(&str) -> Option<String>) -> Place {
    let first = |names: &[&str]| names.iter().find_map(|name| header(name)).unwrap_or_default().trim().to_owned();
    let country = first(&COUNTRY_HEADERS).to_ascii_uppercase();
    let region = first(&REGION_HEADERS).to_ascii_uppercase();
    let region = if region.is_empty() || country.is_empty() { String::new() } else { format!("{country}-{region}") };
    Place { country, region, city: first(&CITY_HEADERS) }
}

/// Signals of automation beside the names of crawlers, which the fold knows.
fn bot_mark(user_agent: &str, is_verified_bot: bool, header: &impl Fn(&str) -> Option<String>) -> BotMark {
    let brands = header("sec-ch-ua").unwrap_or_default();
    if [user_agent, &brands].iter().any(|text| text.contains("Headless") || text.contains("PhantomJS")) {
        return BotMark::Headless;
    }
    // `From` (RFC 9110) is how crawlers name their keeper, `Signature-Agent` how they sign (Web Bot Auth). Browsers send neither.
    if is_verified_bot || header("from").is_some() || header("signature-agent").is_some() {
        return BotMark::Declared;
    }
    BotMark::None
}

/// The first `for=` of a `Forwarded` header.
fn forwarded_for(value: &str) -> Option<IpAddr> {
    value.split([',', ';']).find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") { normalise_address(value) } else { None }
    })
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
