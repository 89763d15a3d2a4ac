//! `weir rejected`: payloads that the edge refused.

mod recover;
mod store;

pub(crate) use recover::recover;

use crate::cli::RejectedFilter;
use crate::output::Output;
use crate::session::Session;
use anyhow::{Context as _, Result};
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use serde_json::Value;
use std::collections::VecDeque;
use store::{Refusal, Store};
use weir_event::domain::normalise_domain;
use weir_event::rejected::Rejected;

/// What is said of a number that the list does not have.
const NOT_THERE: &str = "there is no such payload: it was recovered, or it made room for newer ones";
/// Characters of a payload that a list shows.
const BODY_CHARS: usize = 120;

/// One payload as a list shows it.
#[derive(Debug, Serialize)]
struct Line {
    seq: u64,
    /// When the edge received it, RFC 3339.
    time: String,
    reason: String,
    domains: Vec<String>,
    errors: Value,
    /// The beginning of the payload.
    body: String,
}

/// Lists the newest payloads that fit.
pub(crate) async fn list(session: &Session, filter: &RejectedFilter, limit: u32, output: Output) -> Result<()> {
    let limit = limit as usize;
    let mut kept: VecDeque<Refusal> = VecDeque::new();
    let mut fitting = 0_usize;
    Store::open(session)
        .await?
        .each(|refusal| {
            if fits(&refusal, filter) {
                fitting += 1;
                kept.push_back(refusal);
                if kept.len() > limit {
                    kept.pop_front();
                }
            }
        })
        .await?;
    let lines: Vec<Line> = kept.iter().map(line).collect();
    let mut text: Vec<String> = lines.iter().map(Line::text).collect();
    if text.is_empty() {
        text.push("nothing was refused that is still kept".to_owned());
    } else if fitting > lines.len() {
        text.push(format!("the newest {} of {fitting}: --limit shows more", lines.len()));
    }
    output.result(&lines, &text.join("\n"))
}

/// Shows one payload.
pub(crate) async fn show(session: &Session, seq: u64, output: Output) -> Result<()> {
    let refusal = Store::open(session).await?.get(seq).await?.context(NOT_THERE)?;
    let record = refusal.record?;
    let mut value = serde_json::to_value(&record)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("seq".to_owned(), seq.into());
        fields.insert("time".to_owned(), time(record.received_ms).into());
    }
    output.result(&value, &text(seq, &record))
}

/// Whether a payload is one of those asked for. One that cannot be read is meant for no site and has no reason.
fn fits(refusal: &Refusal, filter: &RejectedFilter) -> bool {
    let Ok(record) = &refusal.record else { return filter.site.is_none() && filter.reason.is_none() };
    let is_of_site = |wanted: &String| {
        let wanted = normalise_domain(wanted);
        wanted.is_some() && record.domains.iter().any(|domain| normalise_domain(domain) == wanted)
    };
    filter.site.as_ref().is_none_or(is_of_site) && filter.reason.as_ref().is_none_or(|reason| *reason == record.reason)
}

fn line(refusal: &Refusal) -> Line {
    match &refusal.record {
        Ok(record) => Line {
            seq: refusal.seq,
            time: time(record.received_ms),
            reason: record.reason.clone(),
            domains: record.domains.clone(),
            errors: record.errors.clone(),
            body: record.body.chars().take(BODY_CHARS).collect(),
        },
        Err(error) => Line {
            seq: refusal.seq,
            time: String::new(),
            reason: error.to_string(),
            domains: Vec::new(),
            errors: Value::Null,
            body: String::new(),
        },
    }
}

impl Line {
    fn text(&self) -> String {
        let domains = if self.domains.is_empty() { "-".to_owned() } else { self.domains.join(",") };
        // A terminal must not be told what to do by what strangers send.
        let body: String = self.body.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        let errors = if self.errors.is_null() { String::new() } else { format!(" {}", self.errors) };
        format!("{:>6} {} {:<16} {domains} {body}{errors}", self.seq, self.time, self.reason)
    }
}

fn text(seq: u64, record: &Rejected) -> String {
    let domains = record.domains.join(", ");
    let place = [&record.country, &record.region, &record.city].map(String::as_str).join(" ");
    let lines = [
        ("number", seq.to_string()),
        ("received", time(record.received_ms)),
        ("reason", record.reason.clone()),
        ("sites", domains),
        ("errors", record.errors.to_string()),
        ("user agent", record.user_agent.clone()),
        ("place", place.trim().to_owned()),
        ("payload", if record.is_cut { format!("(cut off) {}", record.body) } else { record.body.clone() }),
    ];
    let line = |(name, value): &(&str, String)| format!("{name:<11} {}", value.replace(char::is_control, " "));
    lines.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn time(ms: u64) -> String {
    let at = i64::try_from(ms).ok().and_then(DateTime::from_timestamp_millis);
    at.map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(json: &str) -> Refusal {
        Refusal { seq: 7, record: Rejected::parse(json.as_bytes()) }
    }

    const RECORD: &str = r#"{"version":1,"received_ms":1795000000000,"reason":"url","errors":{"url":["is required"]},"domains":["shop.example"],"body":"{\u001b[2J}"}"#;

    #[test]
    fn what_is_asked_for() {
        let check = |json: &str, site: Option<&str>, reason: Option<&str>, expected: bool| {
            let filter = RejectedFilter { site: site.map(str::to_owned), reason: reason.map(str::to_owned) };
            assert_eq!(fits(&refusal(json), &filter), expected, "{json} {filter:?}");
        };
        check(RECORD, None, None, true);
        check(RECORD, Some("www.Shop.example"), Some("url"), true);
        check(RECORD, Some("other.example"), None, false);
        check(RECORD, None, Some("age"), false);
        check("{}", None, None, true);
        check("{}", None, Some("url"), false);
    }

    #[test]
    fn a_line_is_one_line_without_escapes() {
        let text = line(&refusal(RECORD)).text();
        assert!(text.contains("2026-11-18T11:06:40.000Z") && text.contains("is required"), "{text}");
        assert!(!text.contains(char::is_control), "{text:?}");
        assert!(line(&refusal("[]")).text().contains("cannot be read"));
    }
}
