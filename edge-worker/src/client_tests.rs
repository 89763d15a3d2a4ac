//! Whose word is taken for the client's address, place and kind.

use super::*;

fn find(peer: &Peer, is_trusted_sender: bool, headers: &[(&str, &str)]) -> Client {
    let proxies = Network::parse_list("127.0.0.0/8,::1/128").unwrap();
    let header = |name: &str| headers.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    identify(peer, &proxies, is_trusted_sender, header)
}

fn check(peer: &Peer, headers: &[(&str, &str)], address: &str, country: &str) {
    let client = find(peer, false, headers);
    let found = client.address.map(|a| a.to_string()).unwrap_or_default();
    assert_eq!((found.as_str(), client.place.country.as_str()), (address, country), "{headers:?}");
}

fn peer(client_ip: &str) -> Peer {
    Peer { client_ip: Some(client_ip.into()), ..Peer::default() }
}

#[test]
fn a_trusted_proxy_is_believed() {
    let proxy = peer("127.0.0.1:5555");
    check(&proxy, &[], "127.0.0.1", "");
    check(&proxy, &[("x-forwarded-for", "192.0.2.1, 10.0.0.1"), ("cf-ipcountry", "de")], "192.0.2.1", "DE");
    check(&proxy, &[("x-forwarded-for", "192.0.2.1"), ("x-plausible-ip", "192.0.2.9")], "192.0.2.9", "");
    check(&proxy, &[("x-plausible-ip", "nonsense"), ("b-forwarded-for", "[2001:db8::1]:80")], "2001:db8::1", "");
    check(&proxy, &[("forwarded", "proto=https;For=\"[2001:db8::7]:4711\", for=10.0.0.1")], "2001:db8::7", "");
    check(&proxy, &[("x-forwarded-for", "unknown")], "127.0.0.1", "");
    check(&peer("[::1]:80"), &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1", "");
    let place = find(&proxy, false, &[("cf-ipcountry", "DE"), ("cf-region-code", "be"), ("cf-ipcity", "Berlin")]).place;
    assert_eq!(place, Place { country: "DE".into(), region: "DE-BE".into(), city: "Berlin".into() });
}

#[test]
fn anyone_else_is_not() {
    let forged = [
        ("x-forwarded-for", "192.0.2.1"),
        ("cf-connecting-ip", "192.0.2.2"),
        ("cf-ipcountry", "DE"),
        ("x-plausible-ip", "192.0.2.3"),
        ("x-plausible-ip-type", "dc_ip"),
    ];
    let place = Place { country: "NO".into(), ..Place::default() };
    let stranger = Peer { place, ..peer("198.51.100.4:5555") };
    check(&stranger, &forged, "198.51.100.4", "");
    check(&Peer::default(), &forged, "", "");
    assert_eq!(find(&stranger, false, &forged).threat, None);
    let trusted = find(&stranger, true, &forged);
    assert_eq!((trusted.address, trusted.place.country.as_str()), ("192.0.2.3".parse().ok(), "DE"), "but one with a key is");
}

#[test]
fn cloudflare_names_the_client() {
    let place = Place { country: "NO".into(), region: "NO-03".into(), city: "Oslo".into() };
    let cloudflare = Peer { cloudflare: true, place: place.clone(), ..Peer::default() };
    check(&cloudflare, &[("cf-connecting-ip", "203.0.113.5"), ("x-forwarded-for", "192.0.2.1")], "203.0.113.5", "NO");
    check(&cloudflare, &[("cf-connecting-ip", "127.0.0.9"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1", "");
    assert_eq!(find(&cloudflare, false, &[("cf-connecting-ip", "203.0.113.5")]).place, place);
}

#[test]
fn kinds_of_addresses() {
    let kind = |kind| find(&peer("127.0.0.1:1"), false, &[("x-plausible-ip-type", kind), ("cf-ipcountry", "DE")]);
    assert_eq!(kind("dc_ip").threat, Some("dc_ip"));
    assert_eq!(kind("threat_ip").threat, Some("threat_ip"));
    assert_eq!((kind("anonymous_vpn_ip").threat, kind("anonymous_vpn_ip").place.country), (None, "A1".to_owned()));
    assert_eq!((kind("residential").threat, kind("residential").place.country), (None, "DE".to_owned()));
}

#[test]
fn signals_of_automation() {
    let check = |headers: &[(&str, &str)], is_verified_bot: bool, expected: BotMark| {
        assert_eq!(find(&Peer { is_verified_bot, ..peer("198.51.100.4:1") }, false, headers).bot, expected, "{headers:?}");
    };
    check(&[("user-agent", "Mozilla/5.0 Firefox/133.0")], false, BotMark::None);
    check(&[("user-agent", "Mozilla/5.0 HeadlessChrome/120.0")], false, BotMark::Headless);
    check(&[("sec-ch-ua", "\"HeadlessChrome\";v=\"120\"")], false, BotMark::Headless);
    check(&[("from", "bot@search.example")], false, BotMark::Declared);
    check(&[("signature-agent", "\"https://agent.example\"")], false, BotMark::Declared);
    check(&[], true, BotMark::Declared);
}
