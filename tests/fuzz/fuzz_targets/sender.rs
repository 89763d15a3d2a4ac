//! Whose request it is: any headers name an address or none, and only those of a trusted proxy count.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_event::identity::normalise_address;
use weir_event::network::Network;

#[allow(dead_code, reason = "only its parser is called here")]
#[path = "../../../edge-worker/src/client.rs"]
mod client;

/// The headers that a line of the input may set.
const HEADERS: [&str; 12] = [
    "user-agent",
    "x-plausible-ip",
    "cf-connecting-ip",
    "b-forwarded-for",
    "x-forwarded-for",
    "forwarded",
    "x-real-ip",
    "cf-ipcountry",
    "cf-region-code",
    "cf-ipcity",
    "sec-ch-ua",
    "sec-ch-ua-mobile",
];

fuzz_target!(|data: &[u8]| {
    // One line for the peer, then one a header, in their order.
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let peer = client::Peer { client_ip: lines.next().map(str::to_owned), ..client::Peer::default() };
    let values: Vec<&str> = lines.collect();
    let header = |name: &str| {
        let index = HEADERS.iter().position(|known| *known == name)?;
        values.get(index).filter(|value| !value.is_empty()).map(|value| (*value).to_owned())
    };
    let own = peer.client_ip.as_deref().and_then(normalise_address);
    let stranger = client::identify(&peer, &[], false, header);
    assert_eq!(stranger.address, own, "a stranger's headers do not count");
    assert_eq!(stranger.place, client::Place::default());
    let everyone: Vec<Network> = ["0.0.0.0/0", "::/0"].iter().filter_map(|text| text.parse().ok()).collect();
    for client in [client::identify(&peer, &everyone, false, header), client::identify(&peer, &[], true, header)] {
        assert!(
            !client.place.region.is_empty()
                || header("cf-region-code").is_none_or(|code| code.trim().is_empty() || client.place.country.is_empty())
        );
    }
});
