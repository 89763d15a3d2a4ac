//! Who comes to the shop: from where, on which way, with which device.

use super::chance::Chance;

/// Somebody's device and place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Person {
    /// Tells visitors apart and names nobody: it is of a network for tests (RFC 2544).
    pub(super) address: String,
    pub(super) user_agent: &'static str,
    pub(super) country: &'static str,
    /// Subdivision without its country.
    pub(super) region: &'static str,
    pub(super) city: &'static str,
}

/// The way that somebody came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Way {
    pub(super) referrer: &'static str,
    /// Query string of the first page.
    pub(super) query: &'static str,
    /// Tenths: how often people of this way buy, 10 = as most.
    pub(super) zeal: u32,
}

const fn way(referrer: &'static str, query: &'static str, zeal: u32) -> Way {
    Way { referrer, query, zeal }
}

/// Ways by their weights.
const WAYS: [(u32, Way); 24] = [
    (240, way("", "", 14)),
    (225, way("https://www.google.com/", "", 10)),
    (30, way("https://www.bing.com/", "", 9)),
    (38, way("https://duckduckgo.com/", "", 10)),
    (18, way("https://www.ecosia.org/", "", 10)),
    (14, way("https://chatgpt.com/", "utm_source=chatgpt.com", 8)),
    (8, way("https://www.perplexity.ai/", "", 8)),
    (70, way("", "utm_source=newsletter&utm_medium=email&utm_campaign=autumn-blends", 22)),
    (36, way("", "utm_source=newsletter&utm_medium=email&utm_campaign=first-order", 30)),
    (
        58,
        way("https://www.google.com/", "utm_source=google&utm_medium=cpc&utm_campaign=matcha-launch&utm_term=matcha&gclid=x", 12),
    ),
    (
        26,
        way(
            "https://www.google.com/",
            "utm_source=google&utm_medium=cpc&utm_campaign=brand&utm_term=kettle+and+leaf&gclid=x",
            20,
        ),
    ),
    (22, way("https://www.bing.com/", "utm_source=bing&utm_medium=cpc&utm_campaign=matcha-launch&msclkid=x", 9)),
    (40, way("https://www.instagram.com/", "", 5)),
    (
        30,
        way(
            "https://l.instagram.com/",
            "utm_source=instagram&utm_medium=paid_social&utm_campaign=matcha-launch&utm_content=reel",
            6,
        ),
    ),
    (18, way("https://www.facebook.com/", "", 6)),
    (16, way("https://m.facebook.com/", "utm_source=facebook&utm_medium=paid_social&utm_campaign=gift-sets&fbclid=x", 7)),
    (20, way("https://www.youtube.com/", "", 4)),
    (20, way("https://www.pinterest.com/", "", 6)),
    (24, way("https://www.reddit.com/r/tea/", "", 5)),
    (5, way("https://news.ycombinator.com/", "", 2)),
    (20, way("https://steepster.com/", "", 13)),
    (16, way("https://www.theguardian.com/food/tea", "", 6)),
    (
        12,
        way("https://slowmornings.example/gift-guide", "utm_source=slowmornings&utm_medium=affiliate&utm_campaign=gift-sets", 16),
    ),
    (6, way("https://www.linkedin.com/", "", 3)),
];

/// The way of a day on which others write about the shop.
pub(super) const PRESS: Way = way("https://www.theguardian.com/food/tea", "", 4);

/// Country, subdivision, city.
type Place = (&'static str, &'static str, &'static str);

const PLACES: [(u32, Place); 45] = [
    (70, ("DE", "BE", "Berlin")),
    (46, ("DE", "HH", "Hamburg")),
    (48, ("DE", "BY", "Munich")),
    (16, ("DE", "BY", "Nuremberg")),
    (36, ("DE", "NW", "Cologne")),
    (24, ("DE", "NW", "Düsseldorf")),
    (30, ("DE", "HE", "Frankfurt am Main")),
    (24, ("DE", "SN", "Leipzig")),
    (18, ("DE", "BW", "Stuttgart")),
    (14, ("DE", "BW", "Freiburg")),
    (14, ("DE", "HB", "Bremen")),
    (44, ("AT", "9", "Vienna")),
    (16, ("AT", "6", "Graz")),
    (12, ("AT", "5", "Salzburg")),
    (36, ("CH", "ZH", "Zurich")),
    (14, ("CH", "BE", "Bern")),
    (12, ("CH", "GE", "Geneva")),
    (60, ("GB", "ENG", "London")),
    (18, ("GB", "ENG", "Manchester")),
    (18, ("GB", "SCT", "Edinburgh")),
    (8, ("GB", "WLS", "Cardiff")),
    (42, ("FR", "IDF", "Paris")),
    (14, ("FR", "ARA", "Lyon")),
    (10, ("FR", "NAQ", "Bordeaux")),
    (32, ("NL", "NH", "Amsterdam")),
    (14, ("NL", "ZH", "Rotterdam")),
    (16, ("BE", "BRU", "Brussels")),
    (18, ("DK", "84", "Copenhagen")),
    (16, ("SE", "AB", "Stockholm")),
    (8, ("NO", "03", "Oslo")),
    (10, ("PL", "14", "Warsaw")),
    (8, ("CZ", "10", "Prague")),
    (16, ("IT", "25", "Milan")),
    (10, ("IT", "62", "Rome")),
    (14, ("ES", "MD", "Madrid")),
    (10, ("ES", "CT", "Barcelona")),
    (26, ("US", "NY", "New York")),
    (22, ("US", "CA", "San Francisco")),
    (12, ("US", "WA", "Seattle")),
    (10, ("US", "IL", "Chicago")),
    (12, ("CA", "ON", "Toronto")),
    (14, ("JP", "13", "Tokyo")),
    (8, ("AU", "NSW", "Sydney")),
    (6, ("IN", "KA", "Bengaluru")),
    (20, ("LU", "", "")),
];

const USER_AGENTS: [(u32, &str); 13] = [
    (
        30,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1",
    ),
    (
        8,
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0.0 Mobile/15E148 Safari/604.1",
    ),
    (22, "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36"),
    (
        5,
        "Mozilla/5.0 (Linux; Android 14; SM-S921B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/28.0 Chrome/130.0.0.0 Mobile Safari/537.36",
    ),
    (3, "Mozilla/5.0 (Android 14; Mobile; rv:144.0) Gecko/144.0 Firefox/144.0"),
    (18, "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
    (
        9,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    ),
    (7, "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0"),
    (14, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.6 Safari/605.1.15"),
    (9, "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"),
    (5, "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0"),
    (
        5,
        "Mozilla/5.0 (iPad; CPU OS 17_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.7 Mobile/15E148 Safari/604.1",
    ),
    (
        2,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36 OPR/126.0.0.0",
    ),
];

impl Person {
    /// Anybody.
    pub(super) fn any(chance: &mut Chance) -> Self {
        let (country, region, city) = chance.pick(&PLACES).copied().unwrap_or_default();
        let number = chance.between(0, 1 << 17);
        Self {
            address: format!("198.{}.{}.{}", 18 + (number >> 16), number >> 8 & 255, number & 255),
            user_agent: chance.pick(&USER_AGENTS).copied().unwrap_or_default(),
            country,
            region,
            city,
        }
    }

    pub(super) fn is_on_phone(&self) -> bool {
        self.user_agent.contains("Mobile")
    }
}

impl Way {
    /// Any of them.
    pub(super) fn any(chance: &mut Chance) -> Self {
        chance.pick(&WAYS).copied().unwrap_or(PRESS)
    }
}
