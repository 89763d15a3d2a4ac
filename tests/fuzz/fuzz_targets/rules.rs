//! Rule data as it is stored and as an operator edits it: what compiles judges everything, and twice the same; what is stored is read back.
#![no_main]

use libfuzzer_sys::fuzz_target;
use weir_rollup::rules::{Entrance, RuleData, Rules};

/// Small rules with hardly an expression: the built-in ones take some 100 ms to compile.
const SMALL: [(&str, &str); 6] = [
    ("user-agents.yaml", "user_agent_parsers:\n- regex: '(Firefox)'\nos_parsers: []\n"),
    ("agents.toml", "[browsers]\n\"Firefox Mobile\" = \"Firefox\"\n[systems]\n[[device]]\nclass = \"Desktop\"\n"),
    ("crawlers.json", "[]"),
    ("bots.toml", "patterns = [\"curl\"]"),
    ("sources.toml", "[[source]]\nname = \"Google\"\ncategory = \"search\"\ndomains = [\"google.*\"]\naliases = [\"g\"]\n"),
    ("channels.toml", "fallback = \"Direct\"\nchannel = []\n[names]\n"),
];

fuzz_target!(|data: &[u8]| {
    if let Ok(stored) = RuleData::decode(data) {
        assert_eq!(RuleData::decode(&stored.encode()).ok().as_ref(), Some(&stored));
    }
    // The first byte says which file the rest is; of what is judged, the same rest gives texts.
    let Some((first, rest)) = data.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    let mut small = RuleData::built_in();
    for (name, text) in SMALL {
        small.set(name, text.to_owned()).expect("it is a rule file");
    }
    let (name, before) = SMALL[usize::from(*first) % SMALL.len()];
    small.set(name, text.clone().into_owned()).expect("it is small");
    assert_eq!(small.files().iter().find(|(known, _)| *known == name).map(|(_, text)| *text), Some(&*text));
    let stored = RuleData::decode(&small.encode()).expect("what was stored is read");
    assert_eq!((&stored, stored.digest()), (&small, small.digest()));
    let mut other = small.clone();
    other.set(name, before.to_owned()).expect("it is a rule file");
    assert_eq!(other.digest() == small.digest(), before == text, "a digest names one text");
    let Ok(rules) = Rules::new(small) else { return };
    assert!(rules.logic().ends_with(&rules.digest()[..16]));
    for agent in ["", "curl/8", "Mozilla/5.0 (X11; Linux) Firefox/140.0", &text] {
        let judged = rules.agent(agent);
        assert_eq!(rules.agent(agent), judged);
        assert!(judged.bot == 0 || judged.bot == 3);
    }
    let words: Vec<&str> = text.split_whitespace().take(3).collect();
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    for referrer in ["", "https://www.google.co.uk/search?q=1", word(0)] {
        let entrance =
            Entrance { hostname: "shop.example", referrer, utm_source: word(1), utm_medium: word(2), ..Entrance::default() };
        let found = rules.acquisition(&entrance);
        assert_eq!(rules.acquisition(&entrance), found);
    }
});
