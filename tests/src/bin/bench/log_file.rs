//! An access log of realistic variety: pages and visitors by a power law, real user agents and referrers.

use anyhow::Result;
use std::io::Write;

/// Days that the log covers, the last of them yesterday.
pub(crate) const DAYS: i64 = 30;

const AGENTS: [&str; 10] = [
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/129.0.0.0 Safari/537.36 Edg/129.0.0.0",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/26.0 Chrome/122.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:131.0) Gecko/20100101 Firefox/131.0",
    "Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Mobile/15E148 Safari/604.1",
];

const REFERRERS: [&str; 8] = [
    "-",
    "-",
    "https://www.google.com/",
    "https://www.google.com/",
    "https://www.bing.com/",
    "https://t.co/x1",
    "https://news.ycombinator.com/item?id=1",
    "https://www.facebook.com/",
];

/// Writes `lines` page views, spread evenly over the days and ordered by time.
pub(crate) fn write(out: &mut impl Write, lines: u64, seed: u64) -> Result<()> {
    let midnight = chrono::Utc::now().timestamp() / 86_400 * 86_400;
    let first = midnight - DAYS * 86_400;
    let mut random = seed | 1;
    // A visitor is active for a while: a few hundred at a time, each leaves after some pages.
    let mut active = [0_u64; 400];
    for line in 0..lines {
        let at = first + (line as i64 * DAYS * 86_400) / lines as i64;
        let time = chrono::DateTime::from_timestamp(at, 0).unwrap_or_default().format("%d/%b/%Y:%H:%M:%S +0000");
        let slot = (next(&mut random) % active.len() as u64) as usize;
        let Some(visitor) = active.get_mut(slot) else { continue };
        // One visit in three pages or so.
        let arrives = *visitor == 0 || next(&mut random).is_multiple_of(3);
        if arrives {
            *visitor = next(&mut random) % 4_000_000 + 1;
        }
        let referrer = if arrives { of(&REFERRERS, *visitor / 7) } else { "https://log.example/" };
        let page = skewed(&mut random, 2_000);
        writeln!(
            out,
            r#"198.{}.{}.{} - - [{time}] "GET /section-{}/page-{page} HTTP/1.1" 200 5120 "{referrer}" "{}""#,
            18 + (*visitor >> 16) % 2,
            (*visitor >> 8) & 255,
            *visitor & 255,
            page % 13,
            of(&AGENTS, *visitor % 97),
        )?;
    }
    Ok(())
}

/// Xorshift: the log is the same for the same seed and day.
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state >> 11
}

/// Small numbers often, large ones seldom.
fn skewed(random: &mut u64, below: u64) -> u64 {
    let share = (next(random) % 1_000_000) as f64 / 1e6;
    (share * share * share * below as f64) as u64
}

fn of<'a>(list: &[&'a str], index: u64) -> &'a str {
    list.get(index as usize % list.len()).copied().unwrap_or_default()
}
