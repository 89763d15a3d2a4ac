//! A year of visits to 999 sites, the same at every run: sizes by Zipf's law, pages, pings, goals, revenue, sources and agents as on real sites.

use weir_event::model::{Event, Property, Revenue};

/// Sites, numbered from 1 by size.
pub(crate) const SITES: u32 = 999;
/// Days that the data covers, the last one up to [`SEALED_MS`].
pub(crate) const DAYS: i64 = 365;
/// Milliseconds of a day.
pub(crate) const DAY_MS: i64 = 86_400_000;
/// Saturday, 21 November 2026, 10:20 UTC: what came before is in files.
pub(crate) const SEALED_MS: i64 = 1_795_256_400_000;
/// Until then the live end goes on.
pub(crate) const END_MS: i64 = SEALED_MS + 300_000;
/// Visits a day of all sites. A visit has 3.6 events.
const VISITS_A_DAY: f64 = 7_700.0;

/// Browsers and what they are chosen by; the last one is a bot.
const AGENTS: [(&str, u64); 11] = [
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36", 26),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
        24,
    ),
    ("Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36", 20),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15", 8),
    ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36", 6),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36 Edg/129.0.0.0",
        5,
    ),
    ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0", 3),
    ("Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0", 2),
    (
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
        2,
    ),
    (
        "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
        2,
    ),
    ("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)", 2),
];
const REFERRERS: [(&str, u64); 10] = [
    ("", 42),
    ("https://www.google.com/", 28),
    ("https://www.bing.com/", 5),
    ("https://duckduckgo.com/", 4),
    ("https://t.co/x1", 4),
    ("https://www.facebook.com/", 5),
    ("https://news.ycombinator.com/item?id=1", 3),
    ("https://www.reddit.com/r/webdev", 4),
    ("https://github.com/weir", 3),
    ("https://blog.example.org/a-post", 2),
];
const COUNTRIES: [(&str, u64); 14] = [
    ("US", 30),
    ("DE", 14),
    ("GB", 9),
    ("FR", 8),
    ("IN", 8),
    ("CA", 6),
    ("NL", 5),
    ("BR", 4),
    ("JP", 4),
    ("AU", 3),
    ("PL", 3),
    ("SE", 2),
    ("EE", 1),
    ("", 1),
];
const PLANS: [(&str, u64); 3] = [("free", 70), ("team", 20), ("business", 10)];

/// The zone of a site's reports.
pub(crate) fn zone(site_id: u32) -> &'static str {
    match site_id % 4 {
        1 => "Europe/Berlin",
        2 => "America/New_York",
        3 => "UTC",
        _ => "Asia/Kolkata",
    }
}

/// The domain of a site.
pub(crate) fn domain(site_id: u32) -> String {
    format!("site-{site_id}.example")
}

/// Its partition.
pub(crate) fn partition(site_id: u32) -> u32 {
    site_id % 2
}

/// Numbers that look random and are the same at every run (`SplitMix64`).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        (self.share() * end as f64) as u64
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    /// One of a list by weight.
    pub(crate) fn pick<T: Copy + Default>(&mut self, list: &[(T, u64)]) -> T {
        let mut left = self.below(list.iter().map(|(_, weight)| weight).sum());
        for (value, weight) in list {
            if left < *weight {
                return *value;
            }
            left -= weight;
        }
        T::default()
    }
}

fn mix(mut value: u64) -> u64 {
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// The events of one partition on one UTC day, in the order of their times. A visit that lasts past midnight hands its rest to the next day.
pub(crate) struct Days {
    partition: u32,
    day: i64,
    rest: Vec<Event>,
}

impl Days {
    pub(crate) fn new(partition: u32) -> Self {
        Self { partition, day: SEALED_MS.div_euclid(DAY_MS) - DAYS + 1, rest: Vec::new() }
    }
}

impl Iterator for Days {
    type Item = Vec<Event>;

    fn next(&mut self) -> Option<Vec<Event>> {
        let day = self.day;
        if day * DAY_MS > END_MS {
            return None;
        }
        self.day += 1;
        let mut events = std::mem::take(&mut self.rest);
        let harmonic: f64 = (1..=SITES).map(|rank| 1.0 / f64::from(rank)).sum();
        let weekday = if matches!((day + 4) % 7, 0 | 6) { 0.75 } else { 1.1 };
        for site_id in (1..=SITES).filter(|site_id| partition(*site_id) == self.partition) {
            let mut random = Random::new(mix((day as u64) << 20 | u64::from(site_id)));
            let expected = VISITS_A_DAY * weekday / harmonic / f64::from(site_id);
            let visits = (expected + random.share()) as u64;
            for _ in 0..visits {
                visit(&mut events, &mut random, site_id, day);
            }
        }
        // What would straddle the live end's beginning ends there.
        events.retain(|event| (event.event_ms as i64) < END_MS);
        let end_ms = ((day + 1) * DAY_MS) as u64;
        (events, self.rest) = events.into_iter().partition(|event| event.event_ms < end_ms);
        events.sort_by_key(|event| (event.event_ms, event.id_high, event.id_low));
        Some(events)
    }
}

fn visit(events: &mut Vec<Event>, random: &mut Random, site_id: u32, day: i64) {
    // Most visits come in the afternoon, UTC.
    let hour = (random.share() + random.share() + random.share()) * 10.0 + 22.0;
    let start_ms = day * DAY_MS + ((hour % 24.0) * 3_600_000.0) as i64;
    // Many come again, on other days too.
    let people = 400_000 / u64::from(site_id) + 40;
    let person = mix(u64::from(site_id) << 32 | random.below(people));
    let pages = 2_000 / u64::from(site_id).min(40) + 10;
    let is_bot_agent = Random::new(person).pick(&AGENTS);
    let (referrer, country) = (random.pick(&REFERRERS), Random::new(person ^ 1).pick(&COUNTRIES));
    let campaign = random.chance(8);
    let mut at_ms = start_ms;
    let mut views = 1;
    while views < 30 && random.chance(54) {
        views += 1;
    }
    let mut push = |random: &mut Random, at_ms: i64, name: &str, page: u64, change: &mut dyn FnMut(&mut Event)| {
        // What goes on when the live end begins would be cut differently by its fold.
        if start_ms < SEALED_MS && at_ms >= SEALED_MS {
            return;
        }
        let of_day = at_ms.div_euclid(DAY_MS);
        let visitor = |day: i64| mix(person ^ mix(day as u64)) | 1;
        let mut event = Event {
            id_high: random.next(),
            id_low: random.next() | 1,
            event_ms: at_ms as u64,
            received_ms: at_ms as u64 + 20,
            site_id,
            visitor_id: visitor(of_day),
            previous_visitor_id: visitor(of_day - 1),
            name: name.to_owned(),
            hostname: domain(site_id),
            pathname: if page == 0 { "/".to_owned() } else { format!("/section-{}/page-{page}", page % 13) },
            referrer: referrer.to_owned(),
            user_agent: is_bot_agent.to_owned(),
            country: country.to_owned(),
            ..Event::default()
        };
        if campaign {
            (event.utm_source, event.utm_medium, event.utm_campaign) =
                ("newsletter".to_owned(), "email".to_owned(), format!("week-{}", day / 7 % 52));
        }
        change(&mut event);
        events.push(event);
    };
    for _ in 0..views {
        let page = {
            let share = random.share();
            (share * share * share * pages as f64) as u64
        };
        let with_props = random.chance(10);
        push(random, at_ms, "pageview", page, &mut |event| {
            if with_props {
                event.props =
                    vec![property("author", format!("author-{}", page % 9)), property("tags", format!("tag-{}", page % 31))];
            }
        });
        at_ms += 4_000 + random.below(90_000) as i64;
        if random.chance(60) {
            let (engaged, depth) = (2_000 + random.below(60_000) as u32, 5 + random.below(96) as u32);
            push(random, at_ms, "engagement", page, &mut |event| {
                (event.engagement_ms, event.scroll_depth) = (Some(engaged), Some(depth));
            });
            at_ms += 500 + random.below(2_000) as i64;
        }
        if random.chance(4) {
            push(random, at_ms, "Outbound Link: Click", page, &mut |event| {
                event.props = vec![property("url", format!("https://elsewhere.example/{}", page % 50))];
            });
        }
        if random.chance(2) {
            let plan = random.pick(&PLANS);
            push(random, at_ms + 1_000, "Signup", page, &mut |event| event.props = vec![property("plan", plan.to_owned())]);
        }
        if random.chance(1) {
            let (amount, currency) = (random.below(20_000) as i64 * 10_000, if random.chance(60) { "USD" } else { "EUR" });
            push(random, at_ms + 2_000, "Purchase", page, &mut |event| {
                event.props = vec![property("product", format!("product-{}", page % 40))];
                event.revenue = Some(Revenue { currency: currency.to_owned(), amount_micros: amount });
            });
        }
    }
}

fn property(key: &str, value: String) -> Property {
    Property { key: key.to_owned(), value }
}
