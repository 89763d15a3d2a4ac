//! No file under the home holds a visitor's address, through the edge or by import, while it runs and afterwards.

use anyhow::{Context as _, Result, ensure};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;
use weir_tests::collector::{Collector, USER_AGENT, Visitor};
use weir_tests::query::Stats;
use weir_tests::scan::{Found, Search, addresses, spellings};
use weir_tests::weir::Weir;

const SITE: &str = "private.example";
/// Some of the imported events are years old.
fn dates() -> [String; 2] {
    ["2022-01-01".to_owned(), (chrono::Utc::now() + chrono::Duration::days(1)).format("%Y-%m-%d").to_string()]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_file_holds_a_client_address() -> Result<()> {
    let weir = Weir::start().await?;
    weir.add_site(SITE).await?;
    let known = addresses(1_000, 1);
    let control = addresses(1_000, 2);

    send_through_the_edge(&weir, known.get(..600).context("600 addresses")?).await?;
    import_combined(&weir, known.get(600..800).context("200 addresses")?).await?;
    import_ndjson(&weir, known.get(800..).context("200 addresses")?).await?;
    let stats = Stats::admin(&weir, SITE)?;
    stats.await_total(Duration::from_secs(20), &["visitors"], json!({"date_range": dates()}), &[1_000.0]).await?;

    let judge = |moment: &str| judge(&weir, &known, &control, moment);
    judge("before the flush")?;
    weir.flush().await?;
    judge("after the flush")?;
    // What is compressed would escape the search of bytes: neither the stream's events nor the answers may show it.
    check_stream(&weir, &known).await?;
    check_answers(&stats, &known).await?;
    weir.stop(Signal::SIGTERM, Duration::from_secs(10)).await?;
    judge("after the stop")
}

/// Fails if a file holds a known address; four bytes match by chance, so they are compared with addresses that nobody used.
fn judge(weir: &Weir, known: &[IpAddr], control: &[IpAddr], moment: &str) -> Result<()> {
    let (mut found, mut chance) = (Found::default(), Found::default());
    Search::new(known)?.folder(weir.home(), &mut found)?;
    Search::new(control)?.folder(weir.home(), &mut chance)?;
    eprintln!(
        "{moment}: {} files, {} bytes, {} four-byte hits, {} by chance",
        found.files, found.bytes, found.binary_v4, chance.binary_v4
    );
    ensure!(
        found.files > 10 && found.bytes > 100_000,
        "{moment}: the search saw only {} files, {} bytes",
        found.files,
        found.bytes
    );
    ensure!(found.text.is_empty(), "{moment}: addresses as text: {:?}", found.text);
    ensure!(found.binary_v6.is_empty(), "{moment}: IPv6 addresses in binary form: {:?}", found.binary_v6);
    // Five standard deviations of the chance hits, and a little for small counts.
    let limit = chance.binary_v4 as f64 + 5.0 * (chance.binary_v4 as f64).sqrt() + 5.0;
    ensure!(found.binary_v4 as f64 <= limit, "{moment}: {} four-byte hits, {} by chance", found.binary_v4, chance.binary_v4);
    Ok(())
}

/// Body of an event whose sender repeats its own address wherever it can; which spelling and where goes by the number.
fn telling_body(number: usize, address: IpAddr) -> Value {
    let all = spellings(address);
    let spelled = all.get(number % all.len()).cloned().unwrap_or_default();
    let host = if address.is_ipv6() { format!("[{address}]") } else { address.to_string() };
    let mut body = json!({"n": "pageview", "d": SITE, "u": format!("https://{SITE}/page/{}", number % 7)});
    // Even numbers have IPv4 addresses: each way is tried with both kinds.
    match number / 2 % 10 {
        0 => body["u"] = json!(format!("https://{SITE}/user/{spelled}/orders")),
        1 => body["u"] = json!(format!("https://{SITE}/?utm_source={spelled}&utm_campaign=from-{spelled}&ip={spelled}")),
        2 => body["p"] = json!({"ip": spelled, "text": format!("client {spelled} said so")}),
        3 => body["r"] = json!(format!("https://{host}/start?from={spelled}")),
        4 => body["r"] = json!(format!("https://elsewhere.example/{spelled}?ip={spelled}")),
        5 => body["u"] = json!(format!("https://{host}/by-address")),
        6 => body["p"] = json!({"forwarded": format!("for=\"{host}:4711\""), "list": format!("{spelled},{spelled}")}),
        7 => body["p"] = json!(json!({"encoded": spelled, &spelled: "as a key"}).to_string()),
        8 => {
            body["u"] = json!(format!("https://{SITE}/docs#{spelled}"));
            body["h"] = json!(1);
        }
        _ => body["n"] = json!(format!("Call from {spelled}")),
    }
    body
}

async fn send_through_the_edge(weir: &Weir, addresses: &[IpAddr]) -> Result<()> {
    let collector = Collector::of(weir)?;
    for (number, address) in addresses.iter().enumerate() {
        let visitor = Visitor { address: address.to_string(), user_agent: USER_AGENT.to_owned(), country: "DE".to_owned() };
        let body = telling_body(number, *address);
        // Refused input is logged and counted: it must not be kept either.
        if number % 20 == 0 {
            let broken = json!({"n": 5.5, "d": SITE, "u": format!("data:{address}"), "p": [address.to_string()]});
            collector.post(&visitor, &broken).await?;
            let stranger =
                json!({"n": "pageview", "d": format!("{address}.unknown.example"), "u": format!("https://{address}/")});
            collector.post(&visitor, &stranger).await?;
        }
        if number % 10 == 4 {
            collector.send(&visitor, &json!([body])).await?;
        } else {
            collector.send(&visitor, &body).await?;
        }
    }
    Ok(())
}

async fn import_combined(weir: &Weir, addresses: &[IpAddr]) -> Result<()> {
    let mut log = String::new();
    for (number, address) in addresses.iter().enumerate() {
        let spelled = spellings(*address).into_iter().next().unwrap_or_default();
        let path = if number % 2 == 0 { format!("/from/{spelled}/x?ip={spelled}") } else { format!("/page/{number}") };
        let referrer = if number % 3 == 0 { format!("http://ref.example/?client={spelled}") } else { "-".to_owned() };
        writeln!(
            log,
            r#"{spelled} - - [01/Feb/2024:10:{:02}:00 +0000] "GET {path} HTTP/1.1" 200 5 "{referrer}" "{USER_AGENT}""#,
            number % 60
        )?;
    }
    // Lines that are refused name an address too.
    for address in addresses.iter().take(20) {
        writeln!(log, "{address} - - broken")?;
    }
    import(weir, "combined", &log).await
}

async fn import_ndjson(weir: &Weir, addresses: &[IpAddr]) -> Result<()> {
    let mut lines = String::new();
    for (number, address) in addresses.iter().enumerate() {
        let mut body = telling_body(number, *address);
        body["timestamp"] = json!("2023-03-04T05:06:07Z");
        body["ip"] = json!(address.to_string());
        body["user_agent"] = json!(USER_AGENT);
        writeln!(lines, "{body}")?;
        if number % 20 == 0 {
            writeln!(lines, r#"{{"ip":"{address}","n":"pageview"}}"#)?;
        }
    }
    import(weir, "ndjson", &lines).await
}

async fn import(weir: &Weir, format: &str, text: &str) -> Result<()> {
    // Outside the home: the file that is imported is not Weir's.
    let file = tempfile::NamedTempFile::new()?;
    std::fs::write(file.path(), text)?;
    weir.json(&["import", "--site", SITE, "--format", format, &file.path().to_string_lossy()]).await?;
    Ok(())
}

/// Every field of every event as the stream has it.
async fn check_stream(weir: &Weir, known: &[IpAddr]) -> Result<()> {
    let output = weir.output(&["tail", "--from-seq", "1", "--until-end", "--json"]).await?;
    ensure!(output.status.success() && output.stdout.len() > 100_000, "tail: {}", String::from_utf8_lossy(&output.stderr));
    let mut found = Found::default();
    Search::new(known)?.bytes(std::path::Path::new("weir tail"), &output.stdout, &mut found);
    ensure!(found.text.is_empty(), "the stream holds addresses: {:?}", found.text);
    Ok(())
}

async fn check_answers(stats: &Stats, known: &[IpAddr]) -> Result<()> {
    let search = Search::new(known)?;
    let dimensions = [
        "event:page",
        "event:name",
        "visit:source",
        "visit:referrer",
        "visit:utm_source",
        "visit:utm_campaign",
        "visit:entry_page",
    ];
    for dimension in dimensions {
        let answer = stats.answer(&json!({"metrics": ["visitors"], "dimensions": [dimension], "date_range": dates()})).await?;
        let mut found = Found::default();
        search.bytes(std::path::Path::new(dimension), answer.to_string().as_bytes(), &mut found);
        ensure!(found.text.is_empty(), "{dimension} shows addresses: {:?}", found.text);
    }
    Ok(())
}
