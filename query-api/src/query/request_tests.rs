//! Requests and what becomes of them: every refusal with its text.

use super::*;
use crate::query::Operator::{Contains, ContainsNot, Is, IsNot};
use crate::query::{TimeUnit, VisitField};
use serde_json::json;

/// A request that is fine, with some keys exchanged (`null` removes one).
fn request(changes: Value) -> Value {
    let mut request = json!({"site_id": "a.example", "metrics": ["visitors"], "date_range": "7d"});
    let object = request.as_object_mut().unwrap();
    let Value::Object(changes) = changes else { panic!("changes are an object") };
    for (key, value) in changes {
        if value.is_null() {
            object.remove(&key);
        } else {
            object.insert(key, value);
        }
    }
    request
}

fn refused(changes: Value, expected: &str) {
    let request = request(changes);
    match parse(&request) {
        Ok(_) => panic!("accepted: {request}"),
        Err(refusal) => assert_eq!(refusal.to_string(), expected, "{request}"),
    }
}

fn accepted(changes: Value) -> Query {
    let request = request(changes);
    parse(&request).unwrap_or_else(|refusal| panic!("{refusal}: {request}"))
}

#[test]
fn faults_of_form() {
    refused(json!({"metrics": ["visitors", "x"]}), r#"#/metrics/1: Invalid metric "x""#);
    refused(json!({"metrics": [1]}), "#/metrics/0: Invalid metric 1");
    refused(json!({"metrics": ["scroll_depth"]}), r#"#/metrics/0: Invalid metric "scroll_depth""#);
    refused(json!({"metrics": []}), "#/metrics: Expected a minimum of 1 items but got 0.");
    refused(json!({"metrics": "visitors"}), "#/metrics: Type mismatch. Expected Array but got String.");
    refused(json!({"metrics": ["visits", "visits"]}), "#/metrics: Expected items to be unique but they were not.");
    refused(json!({"dimensions": ["visit:sauce"]}), r#"#/dimensions/0: Invalid dimension "visit:sauce""#);
    refused(json!({"dimensions": ["event:page", "event:page"]}), "#/dimensions: Expected items to be unique but they were not.");
    refused(json!({"date_range": "yesterday"}), r#"#/date_range: Invalid date range "yesterday""#);
    refused(
        json!({"date_range": ["2026-02-02", "2026-02-01"]}),
        r#"#/date_range: Invalid date range ["2026-02-02", "2026-02-01"]"#,
    );
    refused(json!({"surprise": 1}), "#/surprise: Schema does not allow additional properties.");
    refused(json!({"metrics": null}), "#: Required property metrics was not present.");
    refused(json!({"metrics": null, "date_range": null}), "#: Required properties metrics, date_range were not present.");
    refused(json!({"order_by": [["visitors", "down"]]}), r#"#/order_by/0: Invalid order_by entry ["visitors", "down"]"#);
    refused(json!({"order_by": "visitors"}), "#/order_by: Type mismatch. Expected Array but got String.");
    refused(json!({"include": {"time_labels": 1}}), "#/include/time_labels: Type mismatch. Expected Boolean but got Integer.");
    refused(json!({"include": {"comparisons": true}}), "#/include/comparisons: Schema does not allow additional properties.");
    refused(json!({"include": []}), "#/include: Type mismatch. Expected Object but got Array.");
    refused(json!({"pagination": {"limit": 0}}), "#/pagination/limit: Expected the value to be >= 1");
    refused(json!({"pagination": {"limit": 10_001}}), "#/pagination/limit: Expected the value to be <= 10000");
    refused(json!({"pagination": {"offset": -1}}), "#/pagination/offset: Expected the value to be >= 0");
    refused(json!({"pagination": {"limit": 1.5}}), "#/pagination/limit: Type mismatch. Expected Integer but got Number.");
    refused(json!({"pagination": {"page": 1}}), "#/pagination/page: Schema does not allow additional properties.");
    refused(
        json!({"metrics": ["x"], "dimensions": ["y"], "date_range": 7}),
        "#/metrics/0: Invalid metric \"x\"\n#/date_range: Invalid date range 7\n#/dimensions/0: Invalid dimension \"y\"",
    );
    assert_eq!(parse(&json!([])).unwrap_err().to_string(), "#: Type mismatch. Expected Object but got Array.");
}

#[test]
fn faults_of_filters() {
    let invalid =
        |filter: Value, quoted: &str| refused(json!({"filters": [filter]}), &format!("#/filters/0: Invalid filter {quoted}"));
    invalid(json!("is"), r#""is""#);
    invalid(json!([]), "[]");
    invalid(json!(["is", "event:page"]), r#"["is", "event:page"]"#);
    invalid(json!(["is", "event:page", []]), r#"["is", "event:page", []]"#);
    invalid(json!(["is", "event:page", [1]]), r#"["is", "event:page", [1]]"#);
    invalid(json!(["is", "event:page", "/"]), r#"["is", "event:page", "/"]"#);
    invalid(json!(["is", "time:day", ["2026-01-01"]]), r#"["is", "time:day", ["2026-01-01"]]"#);
    invalid(json!(["matches", "event:page", ["a"]]), r#"["matches", "event:page", ["a"]]"#);
    invalid(json!(["and", []]), r#"["and", []]"#);
    invalid(json!(["not"]), r#"["not"]"#);
    invalid(json!(["is", "event:page", ["/"], {"case": true}]), r#"["is", "event:page", ["/"], %{"case" => true}]"#);
    invalid(json!(["is", "event:page", ["/"], {}, 1]), r#"["is", "event:page", ["/"], %{}, 1]"#);
    refused(json!({"filters": {}}), "#/filters: Type mismatch. Expected Array but got Object.");
    refused(
        json!({"filters": [["not", ["is", "event:hostname", ["a"]]]]}),
        "Invalid filters. Dimension `event:hostname` can only be filtered at the top level.",
    );
    refused(
        json!({"filters": [["or", [["is", "event:goal", ["a"]]]]]}),
        "Invalid filters. Dimension `event:goal` can only be filtered at the top level.",
    );
    refused(
        json!({"filters": [["is", "event:goal", ["Signup"]]]}),
        "Invalid filters. The goal `Signup` is not configured for this site.",
    );
    refused(
        json!({"filters": [["is", "visit:country", ["Estonia"]]]}),
        "Invalid visit:country filter, visit:country needs to be a valid 2-letter country code.",
    );
    let too_big = "Invalid filters. At most 100 comparisons with 1000 clauses together, nested 8 deep, are allowed.";
    let mut deep = json!(["is", "event:page", ["/"]]);
    for _ in 0..8 {
        deep = json!(["not", deep]);
    }
    refused(json!({"filters": [deep]}), too_big);
    let wide: Vec<Value> = (0..101).map(|_| json!(["is", "event:page", ["/"]])).collect();
    refused(json!({"filters": [["or", wide]]}), too_big);
    let clauses: Vec<String> = (0..1_001).map(|number| number.to_string()).collect();
    refused(json!({"filters": [["is", "event:page", clauses]]}), too_big);
}

#[test]
fn faults_of_combination() {
    refused(
        json!({"order_by": [["visits", "asc"]]}),
        r#"Invalid order_by entry '["visits", "asc"]'. Entry is not a queried metric or dimension."#,
    );
    refused(json!({"include": {"time_labels": true}}), "Invalid include.time_labels: requires a time dimension.");
    refused(
        json!({"metrics": ["bounce_rate", "visitors"], "dimensions": ["event:name"]}),
        "Session metric(s) `bounce_rate` cannot be queried along with event dimension(s) `event:name`",
    );
    refused(
        json!({"metrics": ["bounce_rate", "visit_duration"], "dimensions": ["event:page", "event:props:a"]}),
        "Session metric(s) `bounce_rate`, `visit_duration` cannot be queried along with event dimension(s) `event:page`, `event:props:a`",
    );
    refused(
        json!({"metrics": ["bounce_rate"], "dimensions": ["event:hostname"]}),
        "Session metric(s) `bounce_rate` cannot be queried along with event dimension(s) `event:hostname`",
    );
    refused(
        json!({"metrics": ["pageviews"], "dimensions": ["visit:exit_page"]}),
        "Event metric(s) `pageviews` cannot be queried along with session dimension(s) `visit:exit_page`",
    );
    refused(
        json!({"metrics": ["views_per_visit"], "dimensions": ["visit:source"]}),
        "Metric `views_per_visit` cannot be queried with `dimensions`.",
    );
    refused(
        json!({"metrics": ["views_per_visit"], "filters": [["not", ["is", "event:page", ["/"]]]]}),
        "Metric `views_per_visit` cannot be queried with a filter on `event:page`.",
    );
    refused(
        json!({"metrics": ["conversion_rate"]}),
        "Metric `conversion_rate` can only be queried with event:goal filters or dimensions.",
    );
    refused(json!({"metrics": ["percentage"]}), "Metric `percentage` can only be queried with `dimensions`.");
    refused(json!({"dimensions": ["time:day", "time:hour"]}), "Invalid dimensions. Only one time dimension is allowed.");
}

#[test]
fn the_site_comes_first() {
    assert_eq!(site_id(&request(json!({}))), Ok("a.example"));
    for body in [json!({}), json!([]), json!({"site_id": 7}), json!({"site_id": ""}), json!({"site_id": null})] {
        assert_eq!(
            site_id(&body).unwrap_err().to_string(),
            "Missing site ID. Please provide the required site_id parameter with your request."
        );
    }
}

#[test]
fn defaults() {
    let query = accepted(json!({"metrics": ["visits", "visitors"]}));
    assert_eq!((query.limit, query.offset), (10_000, 0));
    assert_eq!(query.order_by, [(OrderKey::Metric(0), Direction::Desc)]);
    assert_eq!(query.echo.order_by, [("visits".to_owned(), Direction::Desc)]);
    let query = accepted(json!({"dimensions": ["visit:source", "time:day"]}));
    assert_eq!(query.order_by, [(OrderKey::Dimension(1), Direction::Asc), (OrderKey::Metric(0), Direction::Desc)]);
    assert_eq!(query.time_dimension(), Some((1, Some(TimeUnit::Day))));
}

#[test]
fn what_goes_together() {
    accepted(json!({"metrics": ["bounce_rate", "visitors"], "dimensions": ["event:page"]}));
    accepted(json!({"metrics": ["bounce_rate"], "dimensions": ["event:page", "event:hostname"]}));
    accepted(json!({"metrics": ["bounce_rate"], "dimensions": ["visit:entry_page", "time"]}));
    accepted(json!({"metrics": ["pageviews"], "filters": [["is", "visit:entry_page", ["/"]]]}));
    accepted(json!({"metrics": ["views_per_visit"], "filters": [["is", "event:name", ["Signup"]]]}));
    accepted(json!({"filters": null, "include": {"imports": true}, "order_by": [["visitors", "asc"]]}));
}

#[test]
fn filters_become_a_tree() {
    let query = accepted(json!({"filters": [
        ["and", [["is", "visit:country", ["DE", "AT"]], ["contains_not", "event:page", ["x"], {"case_sensitive": false}]]],
        ["not", ["or", [["is_not", "event:props:plan", ["pro"]], ["contains", "visit:source", ["oo"]]]]],
    ]}));
    let leaf = |operator, dimension, clauses: &[&str], case_sensitive| {
        Filter::Leaf(filter::Leaf {
            operator,
            dimension,
            clauses: clauses.iter().map(ToString::to_string).collect(),
            case_sensitive,
        })
    };
    assert_eq!(
        query.filters,
        [
            leaf(Is, Dimension::Visit(VisitField::Country), &["DE", "AT"], true),
            leaf(ContainsNot, Dimension::Page, &["x"], false),
            Filter::Not(Box::new(Filter::Or(vec![
                leaf(IsNot, Dimension::Prop("plan".into()), &["pro"], true),
                leaf(Contains, Dimension::Visit(VisitField::Source), &["oo"], true),
            ]))),
        ]
    );
}
