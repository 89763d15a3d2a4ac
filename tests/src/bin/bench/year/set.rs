//! The questions of a dashboard, each as a request and as ClickHouse SQL that must give the same rows.

use serde_json::{Value, json};

/// Days that a question is asked about; both are included, on the site's clock.
#[derive(Clone, Copy)]
pub(crate) struct Span {
    pub(crate) name: &'static str,
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
    /// Dimension of the graph.
    pub(crate) unit: &'static str,
}

pub(crate) const SPANS: [Span; 3] = [
    Span { name: "1 day", from: "2026-11-20", to: "2026-11-20", unit: "time:hour" },
    Span { name: "30 days", from: "2026-10-22", to: "2026-11-20", unit: "time:day" },
    Span { name: "1 year", from: "2025-11-21", to: "2026-11-20", unit: "time:month" },
];

/// A question. In the SQL, `{events}` and `{sessions}` stand for the table with the conditions of site and range, `{from}` and `{to}` for the
/// range's ends, `{zone}` for the zone.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) request: Value,
    pub(crate) sql: String,
}

const LIMIT: &str = "{limit}";

/// The set for a span.
pub(crate) fn questions(span: Span) -> Vec<Question> {
    let list = |dimension: &str, metrics: &[&str]| json!({"metrics": metrics, "dimensions": [dimension]});
    let by_visit = |column: &str, empty: &str, more: &str| {
        format!(
            "SELECT if({column} = '', '{empty}', {column}) AS d, uniqExact(visitor_id) AS v{more} FROM {{sessions}} GROUP BY d ORDER BY v DESC, d LIMIT {LIMIT}"
        )
    };
    let mut set = vec![
        Question {
            name: "totals",
            request: json!({"metrics": ["visitors", "visits", "pageviews", "views_per_visit", "bounce_rate", "visit_duration"]}),
            sql: "SELECT uniqExact(visitor_id), count(), (SELECT countIf(name = 'pageview') FROM {events}), \
                  if(count() = 0, 0, round(sum(pageviews) / count(), 2)), if(count() = 0, 0, round(100 * countIf(is_bounce) / count())), \
                  if(count() = 0, 0, round(sum(duration_ms) / 1000 / count())) FROM {sessions}"
                .to_owned(),
        },
        Question { name: "graph", request: list(span.unit, &["visitors", "pageviews"]), sql: graph(span.unit) },
        Question {
            name: "pages",
            request: list("event:page", &["visitors", "pageviews"]),
            sql: format!("SELECT pathname AS d, uniqExact(visitor_id) AS v, countIf(name = 'pageview') FROM {{events}} GROUP BY d ORDER BY v DESC, d LIMIT {LIMIT}"),
        },
        Question { name: "sources", request: list("visit:source", &["visitors"]), sql: by_visit("source", "Direct / None", "") },
        Question { name: "countries", request: list("visit:country", &["visitors"]), sql: by_visit("country", "(not set)", "") },
        Question { name: "browsers", request: list("visit:browser", &["visitors"]), sql: by_visit("browser", "(not set)", "") },
        Question {
            name: "entry pages",
            request: list("visit:entry_page", &["visitors", "visits", "bounce_rate"]),
            sql: by_visit("entry_page", "(not set)", ", count(), round(100 * countIf(is_bounce) / count())"),
        },
        Question {
            name: "exit pages",
            request: list("visit:exit_page", &["visitors", "visits"]),
            sql: by_visit("exit_page", "(not set)", ", count()"),
        },
        Question {
            name: "events",
            request: list("event:name", &["visitors", "events"]),
            sql: format!("SELECT name AS d, uniqExact(visitor_id) AS v, count() FROM {{events}} GROUP BY d ORDER BY v DESC, d LIMIT {LIMIT}"),
        },
        Question {
            name: "totals of one source",
            request: json!({"metrics": ["visitors", "visits", "bounce_rate", "pageviews"], "filters": [["is", "visit:source", ["Google"]]]}),
            sql: "SELECT uniqExact(visitor_id), count(), if(count() = 0, 0, round(100 * countIf(is_bounce) / count())), \
                  (SELECT countIf(name = 'pageview') FROM {events} AND source = 'Google') FROM {sessions} AND source = 'Google'"
                .to_owned(),
        },
        Question {
            name: "plans signed up for",
            request: json!({"metrics": ["visitors", "events"], "dimensions": ["event:props:plan"], "filters": [["is", "event:name", ["Signup"]]]}),
            sql: format!(
                "SELECT if(has(meta.key, 'plan'), meta.value[indexOf(meta.key, 'plan')], '(none)') AS d, uniqExact(visitor_id) AS v, count() \
                 FROM {{events}} AND name = 'Signup' GROUP BY d ORDER BY v DESC, d LIMIT {LIMIT}"
            ),
        },
    ];
    if span.unit == "time:month" {
        // A site's year by days, and by pages.
        set.push(Question {
            name: "visitors by day",
            request: list("time:day", &["visitors"]),
            sql: graph("time:day").replace(", coalesce(p, 0)", ""),
        });
        set.push(Question {
            name: "visitors by page",
            request: list("event:page", &["visitors"]),
            sql: format!(
                "SELECT pathname AS d, uniqExact(visitor_id) AS v FROM {{events}} GROUP BY d ORDER BY v DESC, d LIMIT {LIMIT}"
            ),
        });
    }
    set.push(Question {
        name: "graph of one page",
        request: json!({"metrics": ["visitors"], "dimensions": [span.unit], "filters": [["is", "event:page", ["/section-1/page-1"]]]}),
        sql: format!(
            "SELECT {} AS d, uniqExact(visitor_id) FROM {{events}} AND pathname = '/section-1/page-1' GROUP BY d ORDER BY d",
            label(span.unit, "timestamp")
        ),
    });
    set
}

/// A time as the answer's label.
fn label(unit: &str, time: &str) -> String {
    match unit {
        "time:hour" => format!("formatDateTime(toStartOfHour({time}, '{{zone}}'), '%Y-%m-%d %H:00:00', '{{zone}}')"),
        "time:day" => format!("toString(toDate({time}, '{{zone}}'))"),
        _ => format!("toString(toStartOfMonth({time}, '{{zone}}'))"),
    }
}

/// A visit counts in every bucket that it spans, a pageview in its own.
fn graph(unit: &str) -> String {
    let number = |time: &str| match unit {
        "time:hour" => format!("toInt64(intDiv(toUnixTimestamp({time}) + timeZoneOffset(toDateTime({time}, '{{zone}}')), 3600))"),
        "time:day" => format!("toInt64(toDate({time}, '{{zone}}'))"),
        _ => format!("toInt64(toRelativeMonthNum({time}, '{{zone}}'))"),
    };
    let text = match unit {
        "time:hour" => "formatDateTime(toDateTime(b * 3600, 'UTC'), '%Y-%m-%d %H:00:00', 'UTC')".to_owned(),
        "time:day" => "toString(toDate(b))".to_owned(),
        _ => "toString(toDate(concat(toString(intDiv(b - 1, 12)), '-', leftPad(toString((b - 1) % 12 + 1), 2, '0'), '-01')))"
            .to_owned(),
    };
    format!(
        "SELECT {text} AS d, v, coalesce(p, 0) FROM (\
           SELECT arrayJoin(range({first}, {last} + 1)) AS b, uniqExact(visitor_id) AS v FROM {{sessions}} GROUP BY b\
         ) AS visits LEFT JOIN (SELECT {own} AS b, countIf(name = 'pageview') AS p FROM {{events}} GROUP BY b) AS views USING (b) ORDER BY d",
        first = number("greatest(start, {from})"),
        last = number("least(last, {to} - toIntervalMillisecond(1))"),
        own = number("timestamp"),
    )
}
