//! Sites and their shields: records, patterns, networks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_event::network::Network;
use weir_event::shield::{Shields, matches};
use weir_event::site::{Site, script_id};

#[allow(dead_code, reason = "only its parser is called here")]
#[path = "../../../edge-worker/src/directory/changes.rs"]
mod changes;

fuzz_target!(|data: &[u8]| {
    if let Ok(site) = serde_json::from_slice::<Site>(data) {
        let json = serde_json::to_vec(&site).expect("a site is JSON");
        assert_eq!(serde_json::from_slice::<Site>(&json).expect("and is read back"), site);
        assert!(changes::read(&format!("$KV.WEIR_SITES.site.{}", site.domain), false, data).is_ok());
        let _verdict = site.settings.shields.check(None, "DE", &site.domain, "/a/b");
    }
    let text = String::from_utf8_lossy(data);
    let id = script_id(&text);
    assert!(id.len() == 22 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    if let Ok(networks) = Network::parse_list(&text) {
        for network in networks {
            let spelled = network.to_string();
            assert_eq!(spelled.parse(), Ok(network));
            let own = spelled.split('/').next().and_then(|address| address.parse().ok()).expect("its address");
            assert!(network.contains(&own), "{spelled} holds its own address");
        }
    }
    // A pattern, a line's end, a path.
    if let Some((pattern, path)) = text.split_once('\n')
        && pattern.len() <= 300
        && path.len() <= 2_000
    {
        let is_match = matches(pattern, path);
        if !pattern.contains('*') {
            assert_eq!(is_match, pattern == path);
        }
        assert!(!is_match || matches(&format!("{pattern}**"), path));
        assert!(!is_match || matches(&format!("**{pattern}"), path) || pattern.starts_with('*'));
        let shields = Shields { hostnames: vec![pattern.to_owned()], pages: vec![pattern.to_owned()], ..Shields::default() };
        let _verdict = shields.check(None, "", path, path);
    }
});
