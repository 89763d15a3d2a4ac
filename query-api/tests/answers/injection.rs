//! What callers write never becomes SQL: texts that try to, as stored values and in every place of a request.

use crate::fixture::{ADMIN_KEY, Fixture, KEY, Layout, NOW_MS, Visit, get, post};
use serde_json::{Value, json};
use weir_rollup::row::{EventRow, Opening};

/// Texts that mean something to SQL, to JSON pointers, to patterns, to placeholders, to templates or to a page.
const TEXTS: [&str; 26] = [
    "' OR 1=1 --",
    "'; DROP TABLE tail.t1; --",
    "\"; DROP TABLE events; --",
    "') OR ('a' = 'a",
    "$1",
    "$2) OR (1=1",
    "?1",
    ":name",
    "%",
    "_",
    "a%_b*",
    "\\",
    "\\'",
    "'||(SELECT version())||'",
    "1; ATTACH '/tmp/x.db' AS x",
    "/* comment */",
    "-- comment",
    "read_csv('/etc/passwd')",
    "../../etc/passwd",
    "~1~0/a/b",
    "$.k",
    "{\"k\": \"v\"}",
    "<script>alert(1)</script>",
    "${jndi:ldap://x}",
    "\u{202e}\u{feff}ümläut \u{1f600}",
    "NULL",
];
/// Texts that cannot be stored, or mean an empty value, and can be sent all the same.
const ONLY_SENT: [&str; 5] = ["\u{0}", "a\u{0}b", "", "(not set)", "\r\n\t"];

/// Every dimension that filters take.
const DIMENSIONS: [&str; 24] = [
    "event:page",
    "event:name",
    "event:hostname",
    "event:props:k",
    "visit:entry_page",
    "visit:exit_page",
    "visit:entry_page_hostname",
    "visit:exit_page_hostname",
    "visit:source",
    "visit:referrer",
    "visit:channel",
    "visit:utm_source",
    "visit:utm_medium",
    "visit:utm_campaign",
    "visit:utm_content",
    "visit:utm_term",
    "visit:country",
    "visit:region",
    "visit:city",
    "visit:device",
    "visit:browser",
    "visit:browser_version",
    "visit:os",
    "visit:os_version",
];

/// One visit for each text, which has it wherever a text can be; half of them in a part, half in the live end.
fn fixture() -> Fixture {
    let rows = |(index, text): (usize, &&str)| {
        let text = || (*text).to_owned();
        let opening = Opening {
            visitor_id: index as u64 + 1,
            referrer: text(),
            source: text(),
            channel: text(),
            utm_source: text(),
            utm_medium: text(),
            utm_campaign: text(),
            utm_content: text(),
            utm_term: text(),
            country: text(),
            region: text(),
            city: text(),
            device: text(),
            browser: text(),
            browser_version: text(),
            os: text(),
            os_version: text(),
            ..Opening::default()
        };
        let seq = index as u64 + 1;
        let ago_ms = 60_000 * (index as i64 + 1);
        let visit = Visit::new(seq, opening);
        // Entry and exit are page views.
        ["pageview".to_owned(), text()].map(|name| {
            let row = visit.event(seq, NOW_MS as i64 - ago_ms, &name, &text(), &[("k", &text()), (&text(), "v")]);
            EventRow { hostname: text(), ..row }
        })
    };
    let rows: Vec<EventRow> = TEXTS.iter().enumerate().flat_map(rows).collect();
    let (sealed, live) = rows.split_at(26);
    Fixture::new(&Layout { parts: vec![sealed.to_vec()], tables: vec![live.to_vec()], sealed_seq: 13, folded_seq: 26 })
}

fn request(part: &Value) -> String {
    let mut body = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "day"});
    body.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
    body.to_string()
}

/// The visitors that a filter leaves, or the status that refuses it.
async fn visitors(fixture: &Fixture, filter: Value) -> Result<i64, u16> {
    let (status, text) = fixture.send(post(KEY, &request(&json!({"filters": [filter]})))).await;
    let answer: Value = serde_json::from_str(&text).unwrap();
    if status == 200 { Ok(answer["results"][0]["metrics"][0].as_i64().unwrap()) } else { Err(status.as_u16()) }
}

fn containing(part: &str) -> i64 {
    TEXTS.iter().filter(|text| text.contains(part)).count() as i64
}

#[tokio::test]
async fn a_filter_finds_its_text_and_nothing_else() {
    let fixture = fixture();
    let all = TEXTS.len() as i64;
    for (index, dimension) in DIMENSIONS.into_iter().enumerate() {
        for text in TEXTS {
            // Both are bound alike: one of them everywhere, the other here and there.
            let mut checks = Vec::new();
            if dimension == "visit:country" || index % 6 == 0 {
                checks.push(("contains", containing(text)));
            }
            if dimension != "visit:country" {
                checks.push(("is", 1));
            }
            // What both have in common is negated in one place.
            if dimension == "event:page" || dimension == "visit:source" {
                checks.extend([("contains_not", all - containing(text)), ("is_not", all - 1)]);
            }
            for (operator, expected) in checks {
                let found = visitors(&fixture, json!([operator, dimension, [text]])).await;
                assert_eq!(found, Ok(expected), "{operator} {dimension} {text:?}");
            }
        }
        // Together, nested, and without case.
        let every = json!(["or", TEXTS.map(|text| json!(["contains", dimension, [text], {"case_sensitive": false}]))]);
        if dimension != "event:hostname" {
            assert_eq!(visitors(&fixture, json!(["not", ["not", every]])).await, Ok(all), "{dimension}");
        }
        for text in ONLY_SENT {
            for operator in ["is", "is_not", "contains", "contains_not"] {
                let found = visitors(&fixture, json!([operator, dimension, [text]])).await;
                assert!(matches!(found, Ok(0..=26) | Err(400)), "{operator} {dimension} {text:?}: {found:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_breakdown_gives_texts_back_as_they_were() {
    let fixture = fixture();
    let mut expected: Vec<&str> = TEXTS.to_vec();
    expected.sort_unstable();
    for dimension in DIMENSIONS {
        let answer = fixture.answer(json!({"metrics": ["visitors"], "date_range": "day", "dimensions": [dimension]})).await;
        let mut found: Vec<&str> =
            answer["results"].as_array().unwrap().iter().map(|row| row["dimensions"][0].as_str().unwrap()).collect();
        found.sort_unstable();
        found.retain(|text| *text != "pageview");
        assert_eq!(found, expected, "{dimension}");
    }
    for text in TEXTS {
        let prop = format!("event:props:{text}");
        assert_eq!(visitors(&fixture, json!(["is", prop, ["v"]])).await, Ok(1), "a property called {text:?}");
        let by_prop = json!({"metrics": ["events"], "date_range": "day", "dimensions": [prop], "order_by": [["events", "asc"]]});
        assert_eq!(fixture.results(by_prop).await, ["v -> 2", "(none) -> 50"], "{text:?}");
    }
}

#[tokio::test]
async fn every_other_place_of_a_request_refuses_them() {
    let fixture = fixture();
    for text in TEXTS.into_iter().chain(ONLY_SENT) {
        let mut object = serde_json::Map::new();
        object.insert(text.to_owned(), json!(true));
        let parts = [
            json!({"site_id": text}),
            json!({"metrics": [text]}),
            json!({"date_range": text}),
            json!({"date_range": [text, text]}),
            json!({"date_range": ["2026-11-20", text]}),
            json!({"dimensions": [text]}),
            json!({"dimensions": [format!("event:{text}")]}),
            json!({"dimensions": [format!("visit:{text}")]}),
            json!({"dimensions": [format!("time:{text}")]}),
            json!({"filters": text}),
            json!({"filters": [[text, "event:page", ["/"]]]}),
            json!({"filters": [["is", text, ["/"]]]}),
            json!({"filters": [["is", "event:page", text]]}),
            json!({"filters": [["is", "event:page", [[text]]]]}),
            json!({"filters": [["is", "event:page", ["/"], text]]}),
            json!({"filters": [["is", "event:page", ["/"], object]]}),
            json!({"order_by": [[text, "asc"]]}),
            json!({"order_by": [["visitors", text]]}),
            json!({"include": object}),
            json!({"include": {"time_labels": text}}),
            json!({"pagination": object}),
            json!({"pagination": {"limit": text}}),
            json!({"pagination": {"offset": text}}),
            Value::Object(object.clone()),
        ];
        for part in parts {
            let (status, body) = fixture.send(post(KEY, &request(&part))).await;
            let error: Value = serde_json::from_str(&body).unwrap();
            assert!(matches!(status.as_u16(), 400 | 401), "{part}: {status} {body}");
            assert!(error["error"].as_str().is_some_and(|error| !error.is_empty()), "{part}: {body}");
        }
        let encoded = text.bytes().fold(String::new(), |encoded, byte| format!("{encoded}%{byte:02X}"));
        for path in [
            format!("/api/v2/query?rev={encoded}"),
            format!("/api/v1/stats/realtime/visitors?site_id={encoded}"),
            format!("/api/v1/stats/realtime/visitors?site_id=a.example&rev={encoded}"),
            format!("/api/ledger?site_id={encoded}"),
            format!("/api/ledger?site_id=a.example&from={encoded}"),
            format!("/api/ledger?site_id=a.example&to={encoded}"),
            format!("/api/{encoded}"),
        ] {
            let (status, body) = fixture.send(get(&path, Some(KEY))).await;
            assert!(matches!(status.as_u16(), 400 | 401 | 404 | 405), "{path}: {status} {body}");
        }
    }
    // Everything is still there, and nothing else.
    let all = json!({"metrics": ["visitors", "visits", "events"], "date_range": "day"});
    assert_eq!(fixture.results(all).await, ["26 | 26 | 52"]);
    let (_, status) = fixture.send(get("/api/status", Some(ADMIN_KEY))).await;
    assert_eq!(serde_json::from_str::<Value>(&status).unwrap()[0]["alarms"], json!([]));
}
