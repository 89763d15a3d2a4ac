//! Requests and what becomes of them: every refusal with its text.

use super::*;
use crate::query::Operator::{Contains, ContainsNot, Is, IsNot};
use crate::query::{TimeUnit, VisitField, check_segment};
use serde_json::json;

/// What the owner of the site defined.
fn definitions() -> Definitions {
    serde_json::from_value(json!({
        "goals": [
            {"id": 1, "display_name": "Signup", "goal_type": "event", "event_name": "Signup"},
            {"id": 2, "display_name": "Purchase", "goal_type": "event", "event_name": "Purchase", "currency": "EUR"},
            {"id": 3, "display_name": "Purchase (US)", "goal_type": "event", "event_name": "PurchaseUS", "currency": "USD"},
            {"id": 4, "display_name": "Read /blog", "goal_type": "scroll", "page_path": "/blog/**", "scroll_threshold": 75},
        ],
        "segments": [
            {"id": 10, "name": "DACH", "type": "site", "owner": "k2", "filters": [["is", "visit:country", ["DE", "AT"]]]},
            {"id": 11, "name": "mine", "type": "personal", "owner": "k1", "filters": [["is", "event:goal", ["Signup"]], ["is", "visit:source", ["Google"]]]},
            {"id": 12, "name": "hers", "type": "personal", "owner": "k2", "filters": [["is", "visit:source", ["Bing"]]]},
            {"id": 13, "name": "nested", "type": "site", "owner": "k2", "filters": [["is", "segment", [10]]]},
            {"id": 14, "name": "broken", "type": "site", "owner": "k2", "filters": [["is", "visit:sauce", ["x"]]]},
            {"id": 15, "name": "gone", "type": "site", "owner": "k2", "filters": [["is", "event:goal", ["Removed"]]]},
        ],
    }))
    .unwrap()
}

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
    match parse(&request, &definitions(), "k1") {
        Ok(_) => panic!("accepted: {request}"),
        Err(refusal) => assert_eq!(refusal.to_string(), expected, "{request}"),
    }
}

fn accepted(changes: Value) -> Query {
    let request = request(changes);
    parse(&request, &definitions(), "k1").unwrap_or_else(|refusal| panic!("{refusal}: {request}"))
}

#[test]
fn faults_of_form() {
    refused(json!({"metrics": ["visitors", "x"]}), r#"#/metrics/1: Invalid metric "x""#);
    refused(json!({"metrics": [1]}), "#/metrics/0: Invalid metric 1");
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
    refused(json!({"include": {"compare": true}}), "#/include/compare: Schema does not allow additional properties.");
    for value in [
        json!(true),
        json!({}),
        json!({"mode": "before"}),
        json!({"mode": "custom"}),
        json!({"mode": "custom", "date_range": "7d"}),
        json!({"mode": "previous_period", "date_range": ["2026-01-01", "2026-01-02"]}),
        json!({"mode": "previous_period", "match_day_of_week": 1}),
        json!({"mode": "previous_period", "more": 1}),
    ] {
        let quoted = crate::query::quote::quote(&value);
        refused(json!({"include": {"comparisons": value}}), &format!("#/include/comparisons: Invalid comparisons {quoted}"));
    }
    refused(json!({"date": 7}), "#/date: Type mismatch. Expected String but got Integer.");
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
    assert_eq!(
        parse(&json!([]), &definitions(), "k1").unwrap_err().to_string(),
        "#: Type mismatch. Expected Object but got Array."
    );
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
    invalid(json!(["is", "visit:city", ["Berlin", 1]]), r#"["is", "visit:city", ["Berlin", 1]]"#);
    invalid(json!(["is", "visit:city_name", [1]]), r#"["is", "visit:city_name", [1]]"#);
    invalid(json!(["is", "event:page", "/"]), r#"["is", "event:page", "/"]"#);
    invalid(json!(["is", "time:day", ["2026-01-01"]]), r#"["is", "time:day", ["2026-01-01"]]"#);
    for operator in ["matches", "matches_not", "matches_wildcard", "matches_wildcard_not"] {
        invalid(
            json!([operator, "event:hostname", ["a"], {"case_sensitive": false}]),
            &format!(r#"["{operator}", "event:hostname", ["a"], %{{"case_sensitive" => false}}]"#),
        );
    }
    for operator in ["is_not", "contains_not", "matches", "matches_not", "matches_wildcard", "matches_wildcard_not"] {
        invalid(json!([operator, "event:goal", ["Signup"]]), &format!(r#"["{operator}", "event:goal", ["Signup"]]"#));
        invalid(json!([operator, "segment", [10]]), &format!(r#"["{operator}", "segment", [10]]"#));
    }
    invalid(json!(["is", "segment", ["10"]]), r#"["is", "segment", ["10"]]"#);
    invalid(json!(["is", "segment", []]), r#"["is", "segment", []]"#);
    invalid(json!(["is", "segment", [-1]]), r#"["is", "segment", [-1]]"#);
    invalid(json!(["has_done", []]), r#"["has_done", []]"#);
    invalid(json!(["has_done", [["is", "event:page", ["/"]]]]), r#"["has_done", [["is", "event:page", ["/"]]]]"#);
    invalid(json!(["has_done"]), r#"["has_done"]"#);
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
        json!({"filters": [["has_done", ["is", "event:goal", ["Signup", "Unknown"]]]]}),
        "Invalid filters. The goal `Unknown` is not configured for this site. Find out how to configure goals here: https://plausible.io/docs/stats-api#filtering-by-goals",
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
    for metric in ["scroll_depth", "time_on_page"] {
        let text = format!("Metric `{metric}` can only be queried with event:page filters or dimensions.");
        refused(json!({"metrics": [metric]}), &text);
        refused(
            json!({"metrics": [metric], "dimensions": ["visit:source"], "filters": [["is", "visit:entry_page", ["/"]]]}),
            &text,
        );
        refused(
            json!({"metrics": [metric], "dimensions": ["event:page", "visit:exit_page"]}),
            &format!("Event metric(s) `{metric}` cannot be queried along with session dimension(s) `visit:exit_page`"),
        );
    }
    refused(
        json!({"metrics": ["scroll_depth"], "filters": [["not", ["is", "event:page", ["/"]]]]}),
        "Metric `scroll_depth` can only be queried with event:page filters or dimensions.",
    );
    let requires = "Metric `exit_rate` requires a `\"visit:exit_page\"` dimension. No other dimensions are allowed.";
    for dimensions in [json!([]), json!(["event:page"]), json!(["visit:exit_page", "visit:source"]), json!(["visit:entry_page"])]
    {
        refused(json!({"metrics": ["exit_rate"], "dimensions": dimensions}), requires);
    }
    refused(
        json!({"metrics": ["exit_rate"], "dimensions": ["visit:exit_page"], "filters": [["is", "event:page", ["/"]]]}),
        "Metric `exit_rate` cannot be queried when filtering on event dimensions.",
    );
    refused(json!({"date": "2026-02-30"}), "Failed to convert '2026-02-30' to date");
    for range in ["realtime", "30m"] {
        refused(
            json!({"date_range": range, "include": {"comparisons": {"mode": "previous_period"}}}),
            "Invalid include.comparisons: date ranges of minutes cannot be compared.",
        );
    }
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
fn ranges_and_comparisons() {
    let query = accepted(json!({"date_range": "month", "date": "2026-02-10", "include": {"trim_relative_date_range": true,
        "imports_meta": true, "comparisons": {"mode": "year_over_year", "match_day_of_week": true}}}));
    assert_eq!(query.relative.date, "2026-02-10".parse().ok());
    assert!(query.relative.ends_today && query.imports_meta);
    assert_eq!(query.comparison, Some(Comparison { mode: ComparisonMode::YearOverYear, match_day_of_week: true }));
    let query = accepted(json!({"include": {"comparisons": {"mode": "custom", "date_range": ["2026-01-01", "2026-01-02"]}}}));
    let range = DateRange::parse(&json!(["2026-01-01", "2026-01-02"])).unwrap();
    assert_eq!(query.comparison, Some(Comparison { mode: ComparisonMode::Custom(range), match_day_of_week: false }));
    let query = accepted(json!({"include": {"comparisons": null, "imports": false}, "date_range": "realtime"}));
    assert_eq!((query.comparison, query.date_range), (None, DateRange::Minutes(5)));
    accepted(
        json!({"metrics": ["exit_rate"], "dimensions": ["visit:exit_page"], "filters": [["is", "visit:source", ["Google"]]]}),
    );
    accepted(json!({"metrics": ["time_on_page"], "filters": [["or", [["is", "event:page", ["/"]]]]]}));
    accepted(json!({"metrics": ["scroll_depth", "bounce_rate"], "dimensions": ["event:page"]}));
    let query =
        accepted(json!({"filters": [["is", "visit:city", [2_950_159]]], "dimensions": ["visit:region_name", "time:15min"]}));
    assert!(query.any_leaf(|leaf| leaf.clauses == ["2950159"]));
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

#[test]
fn faults_of_behaviour() {
    let nested = "Invalid filters. Behavioral filters (has_done, has_not_done) cannot be nested.";
    refused(json!({"filters": [["has_done", ["not", ["has_not_done", ["is", "event:page", ["/"]]]]]]}), nested);
    let of_visits = "Invalid filters. Behavioral filters (has_done, has_not_done) can only be used with event dimension filters.";
    refused(
        json!({"filters": [["has_not_done", ["and", [["is", "event:page", ["/"]], ["is", "visit:source", ["x"]]]]]]}),
        of_visits,
    );
    refused(json!({"filters": [["has_done", ["is", "visit:entry_page", ["/"]]]]}), of_visits);
    accepted(
        json!({"filters": [["or", [["has_done", ["is", "event:goal", ["Signup"]]], ["has_not_done", ["is", "event:hostname", ["a"]]]]]]}),
    );
    // What a visit has done is no filter on the event that is counted.
    accepted(json!({"metrics": ["views_per_visit"], "filters": [["has_done", ["is", "event:page", ["/"]]]]}));
    refused(
        json!({"metrics": ["conversion_rate"], "filters": [["has_done", ["is", "event:goal", ["Signup"]]]]}),
        "Metric `conversion_rate` can only be queried with event:goal filters or dimensions.",
    );
}

#[test]
fn faults_of_goals() {
    let deep = "Invalid filters. When `conversion_rate` or `group_conversion_rate` metrics are used, custom property filters can only be used on top level.";
    for metric in ["conversion_rate", "group_conversion_rate"] {
        refused(
            json!({"metrics": [metric], "dimensions": ["event:goal"], "filters": [["not", ["is", "event:props:plan", ["pro"]]]]}),
            deep,
        );
        refused(
            json!({"metrics": [metric]}),
            &format!("Metric `{metric}` can only be queried with event:goal filters or dimensions."),
        );
        accepted(json!({"metrics": [metric], "dimensions": ["event:goal"], "filters": [["is", "event:props:plan", ["pro"]]]}));
        accepted(json!({"metrics": [metric], "filters": [["contains", "event:goal", ["nothing"]]]}));
    }
    refused(
        json!({"metrics": ["bounce_rate"], "dimensions": ["event:goal"]}),
        "Session metric(s) `bounce_rate` cannot be queried along with event dimension(s) `event:goal`",
    );
    refused(
        json!({"metrics": ["total_revenue", "average_revenue"], "dimensions": ["visit:entry_page"]}),
        "Event metric(s) `total_revenue`, `average_revenue` cannot be queried along with session dimension(s) `visit:entry_page`",
    );
    // A name in other letters is looked for, not required.
    accepted(json!({"filters": [["is", "event:goal", ["Unknown"], {"case_sensitive": false}]]}));
}

#[test]
fn goals_are_found_by_name() {
    let goals = |filters: Value| -> Vec<u64> {
        accepted(json!({"dimensions": ["event:goal"], "filters": filters})).goals.iter().map(|goal| goal.id).collect()
    };
    assert_eq!(goals(json!([])), [1, 2, 3, 4]);
    assert_eq!(goals(json!([["is", "event:goal", ["Purchase", "Signup"]]])), [1, 2]);
    assert_eq!(goals(json!([["contains", "event:goal", ["Purchase"]]])), [2, 3]);
    assert_eq!(goals(json!([["contains", "event:goal", ["PURCHASE"], {"case_sensitive": false}]])), [2, 3]);
    assert_eq!(goals(json!([["contains", "event:goal", ["Purchase"]], ["is", "event:goal", ["Purchase"]]])), [2]);
    assert_eq!(goals(json!([["contains", "event:goal", ["x"]]])), [0_u64; 0]);
    assert_eq!(goals(json!([["has_done", ["is", "event:goal", ["Signup"]]]])), [1, 2, 3, 4]);
    let none = accepted(json!({"filters": [["is", "event:page", ["/"]]]}));
    assert!(none.goals.is_empty());
}

#[test]
fn currencies() {
    let revenue = |dimensions: Value, filters: Value| {
        accepted(json!({"metrics": ["total_revenue"], "dimensions": dimensions, "filters": filters})).revenue
    };
    let euro = || Revenue::Currency("EUR".to_owned());
    assert_eq!(revenue(json!([]), json!([])), Revenue::NoGoal);
    assert_eq!(revenue(json!([]), json!([["is", "event:goal", ["Signup"]]])), Revenue::NoGoal);
    assert_eq!(revenue(json!([]), json!([["is", "event:goal", ["Signup", "Purchase"]]])), euro());
    assert_eq!(revenue(json!([]), json!([["contains", "event:goal", ["Purchase"]]])), Revenue::SeveralCurrencies);
    assert_eq!(revenue(json!(["event:goal"]), json!([["is", "event:goal", ["Signup"]]])), Revenue::NoGoal);
    let by_goal = revenue(json!(["event:goal"]), json!([]));
    let found: Vec<Option<&str>> =
        ["Signup", "Purchase", "Purchase (US)", "?"].iter().map(|goal| by_goal.currency(Some(goal))).collect();
    assert_eq!(found, [None, Some("EUR"), Some("USD"), None]);
    assert_eq!(accepted(json!({"filters": [["is", "event:goal", ["Purchase"]]]})).revenue, Revenue::None);
}

#[test]
fn segments_stand_for_their_filters() {
    let filters = |filters: Value| accepted(json!({ "filters": filters })).filters;
    let dach = || json!(["is", "visit:country", ["DE", "AT"]]);
    let mine = || [json!(["is", "event:goal", ["Signup"]]), json!(["is", "visit:source", ["Google"]])];
    assert_eq!(filters(json!([["is", "segment", [10]]])), filters(json!([dach()])));
    let [signup, google] = mine();
    assert_eq!(
        filters(json!([["is", "visit:os", ["Linux"]], ["is", "segment", [11]]])),
        filters(json!([["is", "visit:os", ["Linux"]], signup, google]))
    );
    assert_eq!(filters(json!([["not", ["is", "segment", [10]]]])), filters(json!([["not", ["and", [dach()]]]])));
    assert_eq!(filters(json!([["is", "segment", [10, 10]]])), filters(json!([["or", [["and", [dach()]], ["and", [dach()]]]]])));
    // Of several segments, each filter stands inside a tree.
    refused(
        json!({"filters": [["is", "segment", [10, 11]]]}),
        "Invalid filters. Dimension `event:goal` can only be filtered at the top level.",
    );
    for id in [12, 13, 14, 99] {
        refused(
            json!({"filters": [["is", "segment", [10, id]]]}),
            "Invalid filters. Some segments don't exist or aren't accessible.",
        );
    }
    refused(
        json!({"filters": [["is", "segment", [15]]]}),
        "Invalid filters. The goal `Removed` is not configured for this site. Find out how to configure goals here: https://plausible.io/docs/stats-api#filtering-by-goals",
    );
    let eleven = [10; 11];
    refused(
        json!({"filters": [["is", "segment", eleven]]}),
        "Invalid filters. You can only use up to 10 segment filters in a query.",
    );
}

#[test]
fn what_can_be_saved_as_a_segment() {
    let check = |filters: Value| check_segment(&filters, &definitions()).map_err(|refusal| refusal.to_string());
    assert_eq!(check(json!([["is", "visit:country", ["DE"]], ["has_done", ["is", "event:goal", ["Signup"]]]])), Ok(()));
    assert_eq!(check(json!([])), Err("#/filters/0: Invalid filter []".to_owned()));
    assert_eq!(
        check(json!([["is", "visit:sauce", ["x"]]])),
        Err(r#"#/filters/0: Invalid filter ["is", "visit:sauce", ["x"]]"#.to_owned())
    );
    assert_eq!(
        check(json!([["is", "segment", [10]]])),
        Err("Invalid filters. Some segments don't exist or aren't accessible.".to_owned())
    );
    assert_eq!(
        check(json!([["not", ["is", "event:goal", ["Signup"]]]])),
        Err("Invalid filters. Dimension `event:goal` can only be filtered at the top level.".to_owned())
    );
}

#[test]
fn patterns_are_bounded() {
    let too_big = "Invalid filters. At most 20 patterns of 500 bytes each are allowed.";
    refused(json!({"filters": [["matches", "event:page", ["x".repeat(501)]]]}), too_big);
    let many: Vec<String> = (0..21).map(|number| number.to_string()).collect();
    refused(json!({"filters": [["matches_not", "event:page", many]]}), too_big);
    let query = accepted(
        json!({"filters": [["or", [["matches", "event:page", ["a", "b"]], ["has_done", ["matches_not", "event:name", ["c"]]]]], ["matches_wildcard", "event:page", ["d*"]]]}),
    );
    assert_eq!(query.patterns(), ["a", "b", "c"]);
}
