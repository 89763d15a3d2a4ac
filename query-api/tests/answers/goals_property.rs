//! Conversions, behaviour and revenue of random visits are those that plain loops over the rows count, wherever parts and the live end
//! divide them.

use crate::fixture::{Fixture, Layout, NOW_MS, Visit};
use crate::goals::{with_revenue, with_scroll};
use crate::property::divide;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use weir_rollup::row::{EventRow, Opening};

const HOUR_MS: i64 = 3_600_000;
/// The queried day: 20 November 2026.
const START_MS: i64 = NOW_MS as i64 / (24 * HOUR_MS) * 24 * HOUR_MS - 24 * HOUR_MS;
const END_MS: i64 = START_MS + 24 * HOUR_MS;

/// Goals as the oracle knows them: name, event, first part of the path, property, least scroll, currency.
struct Goal {
    name: &'static str,
    event: &'static str,
    path: &'static str,
    plan: Option<&'static str>,
    scroll: u8,
    currency: Option<&'static str>,
}

const GOALS: [Goal; 6] = [
    Goal { name: "Signup", event: "Signup", path: "", plan: None, scroll: 0, currency: None },
    Goal { name: "Signup pro", event: "Signup", path: "", plan: Some("pro"), scroll: 0, currency: None },
    Goal { name: "Purchase", event: "Purchase", path: "", plan: None, scroll: 0, currency: Some("EUR") },
    Goal { name: "Purchase pro", event: "Purchase", path: "", plan: Some("pro"), scroll: 0, currency: Some("USD") },
    Goal { name: "Blog", event: "pageview", path: "/blog", plan: None, scroll: 0, currency: None },
    Goal { name: "Read", event: "engagement", path: "/blog/", plan: None, scroll: 50, currency: None },
];

fn definitions() -> Value {
    let goal = |(index, goal): (usize, &Goal)| {
        let mut json = json!({"id": index + 1, "display_name": goal.name});
        let fields = json.as_object_mut().unwrap();
        fields.extend(match goal.event {
            "pageview" => json!({"goal_type": "page", "page_path": format!("{}*", goal.path)}).as_object().unwrap().clone(),
            "engagement" => {
                json!({"goal_type": "scroll", "page_path": format!("{}**", goal.path), "scroll_threshold": goal.scroll})
                    .as_object()
                    .unwrap()
                    .clone()
            }
            event => json!({"goal_type": "event", "event_name": event}).as_object().unwrap().clone(),
        });
        if let Some(plan) = goal.plan {
            fields.insert("custom_props".to_owned(), json!({ "plan": plan }));
        }
        if let Some(currency) = goal.currency {
            fields.insert("currency".to_owned(), json!(currency));
        }
        json
    };
    json!({"goals": GOALS.iter().enumerate().map(goal).collect::<Vec<_>>()})
}

fn plan(row: &EventRow) -> Option<&str> {
    row.props.iter().find(|property| property.key == "plan").map(|property| property.value.as_str())
}

fn reaches(row: &EventRow, goal: &Goal) -> bool {
    row.name == goal.event
        && row.pathname.starts_with(goal.path)
        && goal.plan.is_none_or(|wanted| plan(row) == Some(wanted))
        && (goal.scroll == 0 || row.scroll_depth.is_some_and(|percent| (goal.scroll..=100).contains(&percent)))
}

/// A condition as the oracle understands it.
#[derive(Clone, Debug)]
enum Condition {
    Compare { operator: &'static str, dimension: &'static str, operand: &'static str },
    Goals(Vec<usize>),
    Done(Box<Condition>),
    Not(Box<Condition>),
    And(Vec<Condition>),
    Or(Vec<Condition>),
}

impl Condition {
    fn json(&self) -> Value {
        match self {
            Self::Compare { operator, dimension, operand } => json!([operator, dimension, [operand]]),
            Self::Goals(goals) => json!(["is", "event:goal", goals.iter().map(|goal| GOALS[*goal].name).collect::<Vec<_>>()]),
            Self::Done(condition) => json!(["has_done", condition.json()]),
            Self::Not(condition) => match condition.as_ref() {
                Self::Done(condition) => json!(["has_not_done", condition.json()]),
                other => json!(["not", other.json()]),
            },
            Self::And(conditions) => json!(["and", conditions.iter().map(Self::json).collect::<Vec<_>>()]),
            Self::Or(conditions) => json!(["or", conditions.iter().map(Self::json).collect::<Vec<_>>()]),
        }
    }

    /// Holds for this row; `visit` are the rows of its visit in the day, pings included.
    fn holds(&self, row: &EventRow, visit: &[&EventRow]) -> bool {
        match self {
            Self::Compare { operator, dimension, operand } => compare(operator, dimension, operand, row),
            Self::Goals(goals) => goals.iter().any(|goal| reaches(row, &GOALS[*goal])),
            Self::Done(condition) => {
                let mut named = Vec::new();
                condition.goals(&mut named);
                visit.iter().any(|other| is_event(other, &named) && condition.holds(other, visit))
            }
            Self::Not(condition) => !condition.holds(row, visit),
            Self::And(conditions) => conditions.iter().all(|condition| condition.holds(row, visit)),
            Self::Or(conditions) => conditions.iter().any(|condition| condition.holds(row, visit)),
        }
    }

    fn goals(&self, found: &mut Vec<usize>) {
        match self {
            Self::Goals(goals) => found.extend(goals),
            Self::Done(condition) | Self::Not(condition) => condition.goals(found),
            Self::And(conditions) | Self::Or(conditions) => conditions.iter().for_each(|condition| condition.goals(found)),
            Self::Compare { .. } => {}
        }
    }

    /// Looks at the counted event itself.
    fn is_of_event(&self) -> bool {
        match self {
            Self::Compare { dimension, .. } => dimension.starts_with("event:"),
            Self::Goals(_) => true,
            Self::Done(_) => false,
            Self::Not(condition) => condition.is_of_event(),
            Self::And(conditions) | Self::Or(conditions) => conditions.iter().any(Self::is_of_event),
        }
    }
}

/// No ping, or one that reaches one of these goals.
fn is_event(row: &EventRow, goals: &[usize]) -> bool {
    row.name != "engagement" || goals.iter().any(|goal| GOALS[*goal].event == "engagement" && reaches(row, &GOALS[*goal]))
}

fn compare(operator: &str, dimension: &str, operand: &str, row: &EventRow) -> bool {
    let value = match dimension {
        "event:page" => row.pathname.as_str(),
        "event:name" => row.name.as_str(),
        "visit:source" => row.opening.source.as_str(),
        _ => match plan(row) {
            Some(plan) => plan,
            // What is not there is only equal to nothing.
            None => return operator == "is_not",
        },
    };
    match operator {
        "is" => value == operand,
        "is_not" => value != operand,
        "contains" => value.contains(operand),
        "contains_not" => !value.contains(operand),
        "matches" => operand.strip_prefix('^').is_some_and(|start| value.starts_with(start)),
        "matches_not" => !operand.strip_prefix('^').is_some_and(|start| value.starts_with(start)),
        "matches_wildcard" => value.starts_with(operand.trim_end_matches('*')),
        _ => panic!("{operator} is not known"),
    }
}

fn comparison(dimensions: &'static [&'static str]) -> impl Strategy<Value = Condition> {
    let operator =
        prop::sample::select(vec!["is", "is_not", "contains", "contains_not", "matches", "matches_not", "matches_wildcard"]);
    let dimension = prop::sample::select(dimensions);
    (operator, dimension, 0_usize..3).prop_map(|(operator, dimension, pick)| {
        let operands = match (dimension, operator) {
            ("event:page", "matches" | "matches_not") => ["^/blog", "^/", "^/blog/b"],
            ("event:page", "matches_wildcard") => ["/blog*", "/**", "/blog/b*"],
            ("event:page", _) => ["/", "/blog/a", "/blog"],
            ("event:name", "matches" | "matches_not") => ["^S", "^P", "^pageview"],
            ("event:name", "matches_wildcard") => ["S*", "P*", "pageview*"],
            ("event:name", _) => ["Signup", "Purchase", "engagement"],
            ("visit:source", "matches" | "matches_not") => ["^G", "^B", "^X"],
            ("visit:source", "matches_wildcard") => ["G*", "B*", "X*"],
            ("visit:source", _) => ["Google", "Bing", "X"],
            (_, "matches" | "matches_not") => ["^p", "^f", "^x"],
            (_, "matches_wildcard") => ["p*", "f*", "x*"],
            _ => ["pro", "free", "x"],
        };
        Condition::Compare { operator, dimension, operand: operands[pick] }
    })
}

fn some_goals() -> impl Strategy<Value = Condition> {
    prop::sample::subsequence((0..GOALS.len()).collect::<Vec<_>>(), 1..3).prop_map(Condition::Goals)
}

/// What a visit has done or not.
fn behaviour() -> impl Strategy<Value = Condition> {
    let leaf = || prop_oneof![comparison(&["event:page", "event:name"]), some_goals()];
    let inside = prop_oneof![
        leaf(),
        leaf().prop_map(|inner| Condition::Not(Box::new(inner))),
        prop::collection::vec(leaf(), 1..3).prop_map(Condition::And),
        prop::collection::vec(leaf(), 1..3).prop_map(Condition::Or),
    ];
    (inside, any::<bool>()).prop_map(|(inside, negative)| {
        let done = Condition::Done(Box::new(inside));
        if negative { Condition::Not(Box::new(done)) } else { done }
    })
}

fn tree() -> impl Strategy<Value = Condition> {
    let leaf = || prop_oneof![comparison(&["event:page", "event:name", "visit:source"]), behaviour()];
    prop_oneof![
        leaf(),
        leaf().prop_map(|inner| Condition::Not(Box::new(inner))),
        prop::collection::vec(leaf(), 1..3).prop_map(Condition::And),
        prop::collection::vec(leaf(), 1..3).prop_map(Condition::Or),
    ]
}

#[derive(Clone, Debug)]
struct Question {
    goals: Option<Condition>,
    property: Option<Condition>,
    trees: Vec<Condition>,
    dimension: Option<&'static str>,
}

fn question() -> impl Strategy<Value = Question> {
    let dimension = prop::sample::select(vec![None, Some("event:goal"), Some("visit:source")]);
    let property = prop::option::weighted(0.2, comparison(&["event:props:plan"]));
    (prop::option::weighted(0.7, some_goals()), property, prop::collection::vec(tree(), 0..3), dimension)
        .prop_map(|(goals, property, trees, dimension)| Question { goals, property, trees, dimension })
}

impl Question {
    fn by_goal(&self) -> bool {
        self.dimension == Some("event:goal")
    }

    fn names_goals(&self) -> bool {
        self.goals.is_some() || self.by_goal()
    }

    fn json(&self) -> Value {
        let filters: Vec<Value> = self.goals.iter().chain(&self.property).chain(&self.trees).map(Condition::json).collect();
        let mut metrics = vec!["visitors", "visits", "events", "pageviews", "total_revenue", "average_revenue"];
        if self.names_goals() {
            metrics.extend(["conversion_rate", "group_conversion_rate"]);
        }
        if self.by_goal() {
            metrics.push("percentage");
        }
        let dimensions: Vec<&str> = self.dimension.into_iter().collect();
        json!({"metrics": metrics, "dimensions": dimensions, "filters": filters, "date_range": ["2026-11-20", "2026-11-20"]})
    }

    /// The goals that the filters leave.
    fn left(&self) -> Vec<usize> {
        match &self.goals {
            Some(Condition::Goals(goals)) => goals.clone(),
            _ => (0..GOALS.len()).collect(),
        }
    }

    /// What results should be: metrics by the value of the dimension.
    fn expected(&self, rows: &[EventRow]) -> BTreeMap<String, Vec<Value>> {
        let rows: Vec<&EventRow> = rows.iter().filter(|row| row.opening.bot == 0).collect();
        let inside: Vec<&EventRow> = rows.iter().copied().filter(|row| (START_MS..END_MS).contains(&row.event_ms)).collect();
        let visit = |id: u64| inside.iter().copied().filter(|row| row.visit_id == id).collect::<Vec<_>>();
        let named = if self.names_goals() { self.left() } else { Vec::new() };
        let matches = |row: &EventRow, conditions: &[&Condition]| {
            let visit = visit(row.visit_id);
            conditions.iter().all(|condition| condition.holds(row, &visit))
        };
        let all: Vec<&Condition> = self.goals.iter().chain(&self.property).chain(&self.trees).collect();
        let rest: Vec<&Condition> = self.trees.iter().collect();
        let matching: Vec<&EventRow> = inside.iter().copied().filter(|row| is_event(row, &named) && matches(row, &all)).collect();
        let everyone: Vec<&EventRow> =
            inside.iter().copied().filter(|row| row.name != "engagement" && matches(row, &rest)).collect();
        let is_of_events = self.names_goals() || all.iter().any(|condition| condition.is_of_event());
        // Of a question about visits: those that overlap the day, whether they did something in it or not.
        let mut visits: BTreeMap<u64, Vec<&EventRow>> = BTreeMap::new();
        rows.iter()
            .copied()
            .filter(|row| row.name != "engagement")
            .for_each(|row| visits.entry(row.visit_id).or_default().push(row));
        visits.retain(|id, rows| {
            let first = rows.iter().map(|row| row.event_ms).min().unwrap();
            let last = rows.iter().map(|row| row.event_ms).max().unwrap();
            first < END_MS && last >= START_MS && all.iter().all(|condition| condition.holds(rows[0], &visit(*id)))
        });
        let source =
            |row: &EventRow| if row.opening.source.is_empty() { "Direct / None" } else { &row.opening.source }.to_owned();
        let mut groups: BTreeMap<String, (Vec<&EventRow>, Option<usize>)> = BTreeMap::new();
        match self.dimension {
            None => {
                groups.insert(String::new(), (matching.clone(), None));
            }
            Some("event:goal") => {
                for goal in &named {
                    let reached: Vec<&EventRow> = matching.iter().copied().filter(|row| reaches(row, &GOALS[*goal])).collect();
                    if !reached.is_empty() {
                        groups.insert(GOALS[*goal].name.to_owned(), (reached, Some(*goal)));
                    }
                }
            }
            Some(_) => {
                if !is_of_events {
                    for rows in visits.values() {
                        groups.entry(source(rows[0])).or_default();
                    }
                }
                for row in &matching {
                    // Results are those of visits where the question is about visits.
                    if let Some((rows, _)) = groups.get_mut(&source(row)) {
                        rows.push(row);
                    } else if is_of_events {
                        groups.insert(source(row), (vec![row], None));
                    }
                }
            }
        }
        let of_group = |name: &str, rows: &[&EventRow], goal: Option<usize>| {
            let in_group = |row: &EventRow| self.dimension != Some("visit:source") || source(row) == name;
            let visitors = |rows: &[&EventRow]| rows.iter().map(|row| row.opening.visitor_id).collect::<BTreeSet<_>>().len();
            let of_visits: Vec<&EventRow> = visits.values().map(|rows| rows[0]).filter(|row| in_group(row)).collect();
            let people = if is_of_events { visitors(rows) } else { visitors(&of_visits) };
            let count =
                if is_of_events { rows.iter().map(|row| row.visit_id).collect::<BTreeSet<_>>().len() } else { of_visits.len() };
            let has_scroll = |goals: &[usize]| goals.iter().any(|goal| GOALS[*goal].event == "engagement");
            let events = match goal {
                Some(goal) if has_scroll(&[goal]) => Value::Null,
                None if self.goals.is_some() && has_scroll(&named) => Value::Null,
                _ => json!(rows.iter().filter(|row| row.name != "engagement").count()),
            };
            let mut metrics =
                vec![json!(people), json!(count), events, json!(rows.iter().filter(|row| row.name == "pageview").count())];
            metrics.extend(self.revenue(rows, goal));
            if self.names_goals() {
                let rate = |all: usize| if all == 0 { 0.0 } else { (10_000.0 * people as f64 / all as f64).round() / 100.0 };
                let group: Vec<&EventRow> = everyone.iter().copied().filter(|row| in_group(row)).collect();
                metrics.extend([json!(rate(visitors(&everyone))), json!(rate(visitors(&group)))]);
            }
            if self.by_goal() {
                // Of those who did anything that the filters leave, reading included where it reaches a goal.
                metrics.push(json!((1_000.0 * people as f64 / visitors(&matching) as f64).round() / 10.0));
            }
            metrics
        };
        groups.iter().map(|(name, (rows, goal))| (name.clone(), of_group(name, rows, *goal))).collect()
    }

    fn revenue(&self, rows: &[&EventRow], goal: Option<usize>) -> [Value; 2] {
        let mut behaviour = Vec::new();
        self.trees.iter().for_each(|tree| tree.goals(&mut behaviour));
        // Goals count for revenue as soon as one is named anywhere.
        let counted = if self.names_goals() || !behaviour.is_empty() { self.left() } else { Vec::new() };
        let currencies: BTreeSet<&str> = counted.iter().filter_map(|goal| GOALS[*goal].currency).collect();
        let currency = match goal {
            Some(goal) => GOALS[goal].currency,
            None if currencies.len() == 1 => currencies.first().copied(),
            None => None,
        };
        let Some(currency) = currency else { return [Value::Null, Value::Null] };
        let amounts = rows.iter().filter_map(|row| row.revenue.as_ref()).filter(|revenue| revenue.currency == currency);
        let amounts: Vec<i64> = amounts.map(|revenue| revenue.amount_micros).collect();
        let total: i64 = amounts.iter().sum();
        let mean = if amounts.is_empty() { 0.0 } else { total as f64 / amounts.len() as f64 };
        [total as f64, mean]
            .map(|micros| json!({"value": (micros.round() / 1_000.0).round_ties_even() / 1_000.0, "currency": currency}))
    }
}

/// What the service says, in the same form.
fn found(answer: &Value) -> BTreeMap<String, Vec<Value>> {
    let plain = |value: &Value| match value.get("currency") {
        Some(currency) => json!({"value": value["value"], "currency": currency}),
        None => value.clone(),
    };
    let row = |row: &Value| {
        let name = row["dimensions"].get(0).and_then(Value::as_str).unwrap_or("").to_owned();
        (name, row["metrics"].as_array().unwrap().iter().map(plain).collect())
    };
    answer["results"].as_array().unwrap().iter().map(row).collect()
}

/// Events of a visit: time after the one before, name, page, plan, amount with currency, scroll depth.
type Happening = (i64, &'static str, &'static str, Option<&'static str>, Option<(&'static str, i64)>, u8);

#[derive(Clone, Debug)]
struct Story {
    visitor: u64,
    source: &'static str,
    bot: bool,
    begins_ms: i64,
    events: Vec<Happening>,
}

fn story() -> impl Strategy<Value = Story> {
    let event = (
        0_i64..29 * 60_000,
        prop::sample::select(vec!["pageview", "pageview", "Signup", "Purchase", "Purchase", "engagement"]),
        prop::sample::select(vec!["/", "/blog", "/blog/a", "/blog/b"]),
        prop::sample::select(vec![None, Some("pro"), Some("free")]),
        prop::option::of(prop::sample::select(vec![
            ("EUR", 19_990_000),
            ("EUR", -2_500_000),
            ("USD", 7_000_000),
            ("CHF", 1_000_000),
        ])),
        prop::sample::select(vec![10_u8, 49, 50, 100, 255]),
    );
    let source = prop::sample::select(vec!["", "Google", "Bing"]);
    (1_u64..6, source, prop::bool::weighted(0.1), -2 * HOUR_MS..25 * HOUR_MS, prop::collection::vec(event, 1..7)).prop_map(
        |(visitor, source, bot, begins_ms, mut events)| {
            // Engagement never opens a visit.
            if let Some(first) = events.first_mut() {
                first.1 = "pageview";
            }
            Story { visitor, source, bot, begins_ms, events }
        },
    )
}

fn rows(stories: &[Story]) -> Vec<EventRow> {
    let mut rows = Vec::new();
    for (index, story) in stories.iter().enumerate() {
        let bot = if story.bot { 3 } else { 0 };
        let opening = Opening { visitor_id: story.visitor, bot, source: story.source.to_owned(), ..Opening::default() };
        let visit = Visit::new(index as u64 + 1, opening);
        let mut now_ms = START_MS + story.begins_ms;
        for (gap_ms, name, page, plan, revenue, scroll) in &story.events {
            let props: Vec<(&str, &str)> = plan.iter().map(|plan| ("plan", *plan)).collect();
            let mut row = visit.event(rows.len() as u64 + 1, now_ms, name, page, &props);
            match (*name, revenue) {
                ("engagement", _) => row = with_scroll(row, *scroll),
                (_, Some((currency, amount))) => row = with_revenue(row, currency, *amount),
                _ => {}
            }
            rows.push(row);
            now_ms += gap_ms;
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, max_shrink_iters: 20, ..ProptestConfig::default() })]

    #[test]
    fn answers_are_what_loops_count(
        stories in prop::collection::vec(story(), 1..14),
        questions in prop::collection::vec(question(), 12),
        picks in prop::collection::vec(0_usize..4, 1..20),
        tail in 0_usize..40,
    ) {
        let rows = rows(&stories);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let whole = Fixture::with(&Layout::sealed(&rows), &definitions());
            let divided = Fixture::with(&divide(&rows, &picks, tail), &definitions());
            for question in &questions {
                let query = question.json();
                let expected = question.expected(&rows);
                prop_assert_eq!(found(&whole.answer(query.clone()).await), expected.clone(), "{}", query);
                prop_assert_eq!(found(&divided.answer(query.clone()).await), expected, "divided, {}", query);
            }
            Ok(())
        })?;
    }
}
