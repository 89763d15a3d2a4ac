//! What the owner of a site defined: goals, custom properties, segments, shared links. Applied when a question is answered, never by the
//! fold, so that a change holds for the past too.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Everything that is defined for one site: the value of one key of the bucket, so that a change is one compare-and-set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Definitions {
    /// The id that the next definition gets is one more. Ids are never used twice.
    pub last_id: u64,
    /// Goals, oldest first.
    pub goals: Vec<Goal>,
    /// Names of custom properties that the site announced, sorted.
    pub custom_props: Vec<String>,
    /// Saved filters.
    pub segments: Vec<Segment>,
    /// Links that show the site's figures to whoever has them.
    pub shared_links: Vec<SharedLink>,
    /// Notes on the site's chart.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
}

/// Something that visitors are meant to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Goal {
    /// Number inside the site.
    pub id: u64,
    /// Name in answers and filters, unique inside the site.
    pub display_name: String,
    /// What reaches it.
    #[serde(flatten)]
    pub kind: GoalKind,
    /// Properties that the event must have as well, at most three.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub custom_props: BTreeMap<String, String>,
    /// Currency of its revenue, three upper-case letters; `None` = no revenue goal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub currency: Option<String>,
}

/// What reaches a goal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "goal_type", rename_all = "lowercase")]
pub enum GoalKind {
    /// An event of that name.
    Event {
        /// The name.
        event_name: String,
    },
    /// A pageview of that path. `*` and `**` stand for anything, `/` included.
    Page {
        /// The path.
        page_path: String,
    },
    /// Reading a page of that path so far.
    Scroll {
        /// The path, as in [`GoalKind::Page`].
        page_path: String,
        /// Percent of the page, 1 to 100.
        scroll_threshold: u8,
    },
}

/// A saved list of filters, named in queries as `["is", "segment", [id]]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Number inside the site.
    pub id: u64,
    /// Name, unique inside the site.
    pub name: String,
    /// Filters in the language of queries; without segments.
    pub filters: Value,
    /// For all who read the site, or for its maker only.
    #[serde(rename = "type")]
    pub kind: SegmentKind,
    /// Id of the key that made it.
    pub owner: String,
}

/// A note on a day or a minute of the site's chart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// Number inside the site.
    pub id: u64,
    /// Local time of the site: `2026-11-20` or `2026-11-20T14:05`.
    pub at: String,
    /// What happened.
    pub note: String,
    /// For all who read the site, or for its maker only.
    #[serde(rename = "type")]
    pub kind: SegmentKind,
    /// Id of the key that made it.
    pub owner: String,
}

/// Who sees a segment, or an annotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SegmentKind {
    /// Its maker.
    Personal,
    /// All who read the site.
    Site,
}

/// A link that shows a site's figures without a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SharedLink {
    /// Number inside the site.
    pub id: u64,
    /// Name, unique inside the site.
    pub name: String,
    /// What the link carries: 22 random letters and digits. Kept in the clear, since asking for a link that is there must give the same one.
    pub slug: String,
    /// Salted hash of its password, in PHC form; `None` = no password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn goals_are_written_as_the_sites_api_shows_them() {
        let goal = Goal {
            id: 3,
            display_name: "Visit /thanks".into(),
            kind: GoalKind::Page { page_path: "/thanks".into() },
            custom_props: BTreeMap::new(),
            currency: None,
        };
        let json = json!({"id": 3, "display_name": "Visit /thanks", "goal_type": "page", "page_path": "/thanks"});
        assert_eq!(serde_json::to_value(&goal).unwrap(), json);
        assert_eq!(serde_json::from_value::<Goal>(json).unwrap(), goal);
    }

    #[test]
    fn records_with_less_or_more_are_read() {
        let read: Definitions = serde_json::from_value(json!({"custom_props": ["plan"], "later": 1})).unwrap();
        assert_eq!(read, Definitions { custom_props: vec!["plan".into()], ..Definitions::default() });
    }
}
