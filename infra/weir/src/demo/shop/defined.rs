//! What the owner of the shop defined: goals, properties, segments, notes on what happened.

use super::rhythm::{CAMPAIGN_DAYS_AGO, CHECKOUT_DAYS_AGO, Calendar, PRESS_DAYS_AGO};
use crate::session::{Session, now_ms};
use anyhow::Result;
use serde_json::json;
use std::collections::BTreeMap;
use std::convert::Infallible;
use weir_event::site::Site;
use weir_reader::control::definitions;
use weir_reader::definitions::{Annotation, Definitions, Goal, GoalKind, Segment, SegmentKind};

const PROPERTIES: [&str; 12] =
    ["category", "coupon", "items", "path", "payment", "place", "price", "product", "query", "results", "shipping", "url"];

/// Stores it, unless the site has something defined already.
pub(super) async fn store(session: &Session, site: &Site) -> Result<()> {
    definitions::update(&session.jetstream, site.id, |definitions| {
        if definitions.last_id == 0 {
            *definitions = of_the_shop(Calendar { now_ms: now_ms() });
        }
        Ok::<(), Infallible>(())
    })
    .await?;
    Ok(())
}

fn of_the_shop(calendar: Calendar) -> Definitions {
    let event = |name: &str| (name.to_owned(), GoalKind::Event { event_name: name.to_owned() }, None);
    let kinds = [
        ("Purchase".to_owned(), GoalKind::Event { event_name: "Purchase".to_owned() }, Some("EUR".to_owned())),
        event("Begin Checkout"),
        event("Add to Cart"),
        event("Newsletter Signup"),
        event("Outbound Link: Click"),
        event("File Download"),
        event("Form: Submission"),
        event("Search"),
        event("404"),
        ("Visit /cart".to_owned(), GoalKind::Page { page_path: "/cart".to_owned() }, None),
        ("Read an article".to_owned(), GoalKind::Scroll { page_path: "/journal/**".to_owned(), scroll_threshold: 75 }, None),
    ];
    let goal = |(id, (display_name, kind, currency))| Goal { id, display_name, kind, custom_props: BTreeMap::new(), currency };
    let goals: Vec<Goal> = (1..).zip(kinds).map(goal).collect();
    let segment =
        |id, name: &str, filters| Segment { id, name: name.to_owned(), filters, kind: SegmentKind::Site, owner: String::new() };
    let first = goals.len() as u64;
    let segments = vec![
        segment(first + 1, "Paid traffic", json!([["contains", "visit:channel", ["Paid"]]])),
        segment(first + 2, "German-speaking countries", json!([["is", "visit:country", ["DE", "AT", "CH"]]])),
        segment(first + 3, "Matcha", json!([["contains", "event:page", ["matcha"]]])),
    ];
    let happened = [
        (CAMPAIGN_DAYS_AGO, "Matcha campaign begins"),
        (PRESS_DAYS_AGO, "The Guardian writes about us"),
        (CHECKOUT_DAYS_AGO, "The checkout has one page instead of three"),
    ];
    let annotation = |(id, (days_ago, note)): (u64, (u64, &str))| Annotation {
        id,
        at: calendar.day(days_ago),
        note: note.to_owned(),
        kind: SegmentKind::Site,
        owner: String::new(),
    };
    let annotations = (first + 4..).zip(happened).map(annotation).collect();
    let custom_props = PROPERTIES.iter().map(|name| (*name).to_owned()).collect();
    Definitions { last_id: first + 6, goals, custom_props, segments, annotations, ..Definitions::default() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn ids_are_given_once_and_names_are_sorted() {
        let all = of_the_shop(Calendar { now_ms: 1_795_256_430_000 });
        let others = all.segments.iter().map(|one| one.id).chain(all.annotations.iter().map(|one| one.id));
        let ids: BTreeSet<u64> = all.goals.iter().map(|goal| goal.id).chain(others).collect();
        let count = all.goals.len() + all.segments.len() + all.annotations.len();
        assert_eq!((ids.len(), ids.last()), (count, Some(&all.last_id)));
        assert_eq!(all.annotations.first().map(|one| one.at.as_str()), Some("2026-10-31"));
        assert!(all.custom_props.is_sorted());
    }
}
