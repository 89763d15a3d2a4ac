//! What a site does not want counted, and how much it takes: set by commands, in force at the edge within 5 s, whatever happens to NATS.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use weir_tests::collector::{Collector, Visitor, pageview};
use weir_tests::poll::{Look, soft, until};
use weir_tests::process;
use weir_tests::query::{Stats, VISIBLE_WITHIN};
use weir_tests::weir::Weir;

/// A change of a site must be in force at the edge this soon.
const IN_FORCE_WITHIN: Duration = Duration::from_secs(5);

/// Why an answer says that its event was dropped; `None` when it was taken.
fn dropped(headers: &HeaderMap) -> Option<String> {
    let count = headers.get("x-plausible-dropped")?.to_str().unwrap_or("?");
    let reason = headers.get("x-dropped-reason").and_then(|reason| reason.to_str().ok()).unwrap_or("no reason");
    Some(if count == "1" { reason.to_owned() } else { format!("{count} × {reason}") })
}

/// One visitor's view of one page.
struct View<'a> {
    address: &'a str,
    country: &'a str,
    url: &'a str,
}

impl View<'_> {
    async fn send(&self, collector: &Collector, site: &str) -> Result<(u16, Option<String>)> {
        let visitor = Visitor { address: self.address.to_owned(), country: self.country.to_owned(), ..Visitor::number(1) };
        let body = json!({"n": "pageview", "d": site, "u": self.url});
        let answer = collector.post(&visitor, &body).await?;
        Ok((answer.status().as_u16(), dropped(answer.headers())))
    }

    /// Waits until the view is dropped for a reason, or taken (`None`); fails when that takes too long.
    async fn becomes(&self, collector: &Collector, site: &str, expected: Option<&str>) -> Result<()> {
        let what = format!("{} from {} {} to be {expected:?}", self.url, self.address, self.country);
        until(&what, IN_FORCE_WITHIN, async || {
            Ok(soft(self.send(collector, site).await.map(|(status, found)| {
                if status == 202 && found.as_deref() == expected {
                    Look::Done(())
                } else {
                    Look::NotYet(format!("{status}, dropped: {found:?}"))
                }
            })))
        })
        .await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_kind_of_shield() -> Result<()> {
    let weir = Weir::start().await?;
    let (site, other) = ("shields.example", "open.example");
    weir.add_site(site).await?;
    weir.add_site(other).await?;
    let collector = Collector::of(&weir)?;
    let view = |address, country, url| View { address, country, url };
    let plain = view("198.51.100.1", "DE", "https://shields.example/");
    for (kind, value, shielded, reason) in [
        ("address", "203.0.113.0/24", view("203.0.113.9", "DE", "https://shields.example/"), "site_ip_blocklist"),
        ("address", "2001:db8::/32", view("2001:db8::9", "DE", "https://shields.example/"), "site_ip_blocklist"),
        ("country", "no", view("198.51.100.2", "NO", "https://shields.example/"), "site_country_blocklist"),
        ("page", "/admin/**", view("198.51.100.2", "DE", "https://shields.example/admin/a/b"), "site_page_blocklist"),
        ("hostname", "*.shields.example", view("198.51.100.2", "DE", "https://copy.example/"), "site_hostname_allowlist"),
    ] {
        shielded.becomes(&collector, site, None).await?;
        weir.json(&["shield", "add", "--site", site, kind, value]).await?;
        shielded.becomes(&collector, site, Some(reason)).await?;
        // The list of hosts names no bare domain yet: `plain` is on none of its hosts.
        if kind != "hostname" {
            plain.becomes(&collector, site, None).await.with_context(|| format!("{kind} {value}"))?;
        }
        let (status, found) = shielded.send(&collector, other).await?;
        ensure!(status == 202 && found.is_none(), "another site's shield works for {other}: {status} {found:?}");
        weir.json(&["shield", "remove", "--site", site, kind, value]).await?;
        shielded.becomes(&collector, site, None).await?;
    }
    // Removing is exact, and what is wrong is said.
    let removed = weir.output(&["shield", "remove", "--site", site, "page", "/admin/**"]).await?;
    ensure!(
        removed.status.code() == Some(1) && String::from_utf8_lossy(&removed.stderr).contains("not in the list"),
        "{removed:?}"
    );
    for (kind, value) in [("address", "10.0.0.0/33"), ("country", "Norway"), ("page", "admin"), ("hostname", "https://x.example")]
    {
        let output = weir.output(&["shield", "add", "--site", site, kind, value, "--json"]).await?;
        let error: Value = serde_json::from_slice(&output.stderr).with_context(|| format!("{output:?}"))?;
        ensure!(
            output.status.code() == Some(2) && error["error"].as_str().is_some_and(|text| text.contains(value)),
            "{output:?}"
        );
    }
    let unknown = weir.output(&["shield", "list", "--site", "unknown.example"]).await?;
    ensure!(unknown.status.code() == Some(1), "{unknown:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_events_do_not_count_and_the_others_do() -> Result<()> {
    let weir = Weir::start().await?;
    let site = "counted.example";
    weir.add_site(site).await?;
    weir.json(&["shield", "add", "--site", site, "address", "203.0.113.9", "203.0.113.10"]).await?;
    let collector = Collector::of(&weir)?;
    let blocked = View { address: "203.0.113.10", country: "", url: "https://counted.example/" };
    blocked.becomes(&collector, site, Some("site_ip_blocklist")).await?;
    let stats = Stats::admin(&weir, site)?;
    // Pages of their own: what was taken before the shield was in force may still be on its way.
    let late = View { url: "https://counted.example/late", ..blocked };
    for _ in 0..5 {
        ensure!(late.send(&collector, site).await? == (202, Some("site_ip_blocklist".to_owned())), "no longer dropped");
    }
    for number in 0..7 {
        collector.send(&Visitor::number(number), &pageview(site, "/counted")).await?;
    }
    let views = async |page: &str, expected: f64| {
        let only = json!({"filters": [["is", "event:page", [page]]]});
        stats.await_total(VISIBLE_WITHIN, &["pageviews"], only, &[expected]).await
    };
    views("/counted", 7.0).await?;
    views("/late", 0.0).await?;
    weir.flush().await?;
    views("/counted", 7.0).await?;
    views("/late", 0.0).await?;
    // The shield is configuration; nothing else in the home knows the address.
    let list = weir.json(&["shield", "list", "--site", site]).await?;
    ensure!(list["addresses"] == json!(["203.0.113.9/32", "203.0.113.10/32"]), "{list}");
    let shown = weir.json(&["site", "show", site]).await?;
    ensure!(shown["settings"]["shields"] == list, "{shown}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rate_limits_answer_429_and_never_202() -> Result<()> {
    let weir = Weir::start().await?;
    let site = "limits.example";
    weir.add_site(site).await?;
    let collector = Collector::of(&weir)?;
    let visitor = Visitor::number(1);
    // Off by default.
    for _ in 0..40 {
        collector.send(&visitor, &pageview(site, "/")).await?;
    }
    let limited = async |visitors: u32| -> Result<(usize, usize)> {
        let (mut taken, mut refused) = (0, 0);
        let until = Instant::now() + Duration::from_millis(700);
        while Instant::now() < until {
            let answer = collector.post(&Visitor::number(taken as u32 % visitors), &pageview(site, "/")).await?;
            match answer.status().as_u16() {
                202 if dropped(answer.headers()).is_none() => taken += 1,
                429 => {
                    let after = answer.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u32>().ok());
                    ensure!(
                        after.is_some_and(|seconds| (1..=60).contains(&seconds)),
                        "Retry-After of 429: {:?}",
                        answer.headers()
                    );
                    ensure!(answer.headers().contains_key("access-control-allow-origin"), "CORS of 429");
                    refused += 1;
                }
                other => anyhow::bail!("{other} {:?}", answer.headers()),
            }
        }
        Ok((taken, refused))
    };
    let comes_true = async |what: &str, visitors: u32, holds: fn((usize, usize)) -> bool| {
        let began = Instant::now();
        loop {
            let found = limited(visitors).await?;
            if holds(found) {
                return Ok(());
            }
            ensure!(began.elapsed() < IN_FORCE_WITHIN + Duration::from_secs(1), "{what}: (taken, refused) = {found:?}");
        }
    };
    weir.json(&["site", "set", site, "--address-events-per-s", "5"]).await?;
    // At most two seconds of the clock are touched, so at most ten are taken.
    comes_true("a limit for each address", 1, |(taken, refused)| taken <= 10 && refused > 0).await?;
    comes_true("many addresses are not limited", 10_000, |(taken, refused)| taken > 10 && refused == 0).await?;
    weir.json(&["site", "set", site, "--address-events-per-s", "0", "--site-events-per-s", "8"]).await?;
    comes_true("a limit for the site", 10_000, |(taken, refused)| taken <= 16 && refused > 0).await?;
    weir.json(&["site", "set", site, "--site-events-per-s", "0"]).await?;
    comes_true("no limit", 1, |(taken, refused)| taken > 10 && refused == 0).await?;

    let wrong = weir.output(&["site", "set", site, "--site-events-per-s", "many"]).await?;
    ensure!(wrong.status.code() == Some(2), "{wrong:?}");
    let nothing = weir.output(&["site", "set", site]).await?;
    ensure!(nothing.status.code() == Some(2), "{nothing:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_survive_nats_being_away_and_a_restart_of_the_edge() -> Result<()> {
    let weir = Weir::start().await?;
    let site = "away.example";
    weir.add_site(site).await?;
    // By the first page it is seen when the shield is in force, so that the second is never counted.
    weir.json(&["shield", "add", "--site", site, "page", "/probe", "/secret"]).await?;
    let collector = Collector::of(&weir)?;
    let probe = View { address: "198.51.100.1", country: "", url: "https://away.example/probe" };
    let secret = View { address: "198.51.100.1", country: "", url: "https://away.example/secret" };
    let open = View { address: "198.51.100.1", country: "", url: "https://away.example/open" };
    probe.becomes(&collector, site, Some("site_page_blocklist")).await?;

    let nats = weir.pid("nats")?;
    process::signal(nats, Signal::SIGSTOP);
    let judged = async {
        secret.becomes(&collector, site, Some("site_page_blocklist")).await?;
        open.becomes(&collector, site, None).await?;
        let killed = weir.kill("workerd")?;
        weir.restarted("workerd", killed, Duration::from_secs(5)).await?;
        // A restarted worker that cannot ask anybody goes on with what it knew.
        let collector = Collector::of(&weir)?;
        until("the restarted edge to answer", Duration::from_secs(20), async || {
            Ok(soft(
                probe
                    .send(&collector, site)
                    .await
                    .map(|(status, _)| if status == 202 { Look::Done(()) } else { Look::NotYet(status.to_string()) }),
            ))
        })
        .await?;
        ensure!(secret.send(&collector, site).await? == (202, Some("site_page_blocklist".to_owned())), "the shield is forgotten");
        ensure!(open.send(&collector, site).await? == (202, None), "an open page is not taken");
        Ok(())
    }
    .await;
    process::signal(nats, Signal::SIGCONT);
    judged?;
    let stats = Stats::admin(&weir, site)?;
    let pages = until("the open page to be counted", Duration::from_secs(30), async || {
        Ok(soft(
            stats
                .by("event:page", &["pageviews"], json!({}))
                .await
                .map(|pages| if pages.contains_key("/open") { Look::Done(pages) } else { Look::NotYet(format!("{pages:?}")) }),
        ))
    })
    .await?;
    ensure!(!pages.contains_key("/secret"), "{pages:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn changes_at_the_same_time_are_all_kept() -> Result<()> {
    let weir = Weir::start().await?;
    let site = "busy.example";
    weir.add_site(site).await?;
    let pages: Vec<String> = (0..12).map(|number| format!("/page/{number}")).collect();
    futures::future::try_join_all(
        pages.iter().map(async |page| weir.json(&["shield", "add", "--site", site, "page", page]).await.map(|_| ())),
    )
    .await?;
    weir.json(&["site", "set", site, "--web-vitals", "on"]).await?;
    let shown = weir.json(&["site", "show", site]).await?;
    let mut kept: Vec<String> = serde_json::from_value(shown["settings"]["shields"]["pages"].clone())?;
    kept.sort_by_key(|page| page.trim_start_matches("/page/").parse::<u32>().unwrap_or_default());
    ensure!(kept == pages, "{kept:?}");
    ensure!(
        shown["settings"]["script"]["web_vitals"] == true && shown["settings"]["script"]["outbound_links"] == true,
        "{shown}"
    );
    let id = shown["script_id"].as_str().context("no script id")?;
    ensure!(id.len() == 22 && shown["snippet"].as_str().is_some_and(|text| text.contains(&format!("/js/pa-{id}.js"))), "{shown}");
    Ok(())
}
