//! What an operator asks for, from JSON. Pure.

use super::OperatorRefusal;
use chrono::DateTime;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Longest text of all rule files together, bytes.
const RULES_BYTES_MAX: usize = 4_000_000;
/// Longest list of differences.
const LIMIT_MAX: u64 = 1_000;
/// Its length unless another is asked for.
const LIMIT: u64 = 20;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Say what a replay would do.
    Plan(PlanWanted),
    /// Build what was planned, or go on with it.
    Run,
    /// Compare the shadow with what is served.
    Diff {
        /// Only this site, by its domain.
        site: Option<String>,
        /// At most so many differences.
        limit: u64,
    },
    /// Serve the shadow.
    Promote,
    /// Serve what was before.
    Rollback,
    /// Give the shadow, or the offered rollback, up.
    Discard,
}

/// What is to be planned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanWanted {
    /// Where to begin.
    pub start: PlanStart,
    /// Only this partition.
    pub partition: Option<u32>,
    /// With which rules.
    pub rules: PlanRules,
}

/// Where a replay begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanStart {
    /// At this sequence of each stream.
    Seq(u64),
    /// At what was received at this time, RFC 3339.
    Time(String),
}

/// The rules of a replay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlanRules {
    /// Those that each event had.
    Unchanged,
    /// The program's own.
    BuiltIn,
    /// These files, by name; what is not among them is as built in.
    Files(BTreeMap<String, String>),
}

impl Action {
    /// Reads an action of this name; `None` = there is none.
    pub fn read(name: &str, body: &Value) -> Option<Result<Self, OperatorRefusal>> {
        Some(match name {
            "plan" => plan(body).map(Self::Plan),
            "run" => Ok(Self::Run),
            "diff" => diff(body),
            "promote" => Ok(Self::Promote),
            "rollback" => Ok(Self::Rollback),
            "discard" => Ok(Self::Discard),
            _ => return None,
        })
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Plan(_) => "plan",
            Self::Run => "run",
            Self::Diff { .. } => "diff",
            Self::Promote => "promote",
            Self::Rollback => "rollback",
            Self::Discard => "discard",
        }
    }

    /// It changes what is served or can be: the replay that is meant must be named.
    pub fn names_its_replay(&self) -> bool {
        matches!(self, Self::Promote | Self::Rollback | Self::Discard)
    }
}

fn plan(body: &Value) -> Result<PlanWanted, OperatorRefusal> {
    let fields = object(body)?;
    let start = match (fields.get("from_seq"), fields.get("from_time")) {
        (Some(seq), None) => {
            let seq = seq.as_u64().filter(|seq| *seq > 0);
            PlanStart::Seq(seq.ok_or_else(|| wrong("from_seq: must be a stream sequence, a whole number from 1"))?)
        }
        (None, Some(time)) => {
            let time = time.as_str().filter(|time| DateTime::parse_from_rfc3339(time).is_ok());
            let time = time.ok_or_else(|| wrong("from_time: must be a time in RFC 3339, like 2026-11-21T10:00:00Z"))?;
            PlanStart::Time(time.to_owned())
        }
        _ => return Err(wrong("one of from_seq and from_time is needed")),
    };
    let partition = match fields.get("partition") {
        None | Some(Value::Null) => None,
        Some(number) => {
            let number = number.as_u64().and_then(|number| u32::try_from(number).ok());
            Some(number.ok_or_else(|| wrong("partition: must be the number of a partition"))?)
        }
    };
    let rules = match fields.get("rules") {
        None | Some(Value::Null) => PlanRules::Unchanged,
        Some(Value::String(word)) if word == "unchanged" => PlanRules::Unchanged,
        Some(Value::String(word)) if word == "built_in" => PlanRules::BuiltIn,
        Some(Value::Object(files)) => PlanRules::Files(rule_files(files)?),
        Some(_) => return Err(wrong("rules: must be unchanged, built_in, or texts by the names of their files")),
    };
    Ok(PlanWanted { start, partition, rules })
}

fn rule_files(files: &Map<String, Value>) -> Result<BTreeMap<String, String>, OperatorRefusal> {
    let mut read = BTreeMap::new();
    for (name, text) in files {
        // It becomes the name of a file: of letters, digits and one dot, nothing leads out of its folder.
        let is_plain =
            |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if !name.split_once('.').is_some_and(|(stem, extension)| is_plain(stem) && is_plain(extension)) {
            return Err(wrong(&format!("rules: {name:?} is not the name of a rule file")));
        }
        let text = text.as_str().ok_or_else(|| wrong(&format!("rules: {name} must be a text")))?;
        read.insert(name.clone(), text.to_owned());
    }
    if read.is_empty() || read.values().map(String::len).sum::<usize>() > RULES_BYTES_MAX {
        return Err(wrong(&format!("rules: at least one file is needed, of {RULES_BYTES_MAX} bytes together at most")));
    }
    Ok(read)
}

fn diff(body: &Value) -> Result<Action, OperatorRefusal> {
    let fields = object(body)?;
    let site = match fields.get("site") {
        None | Some(Value::Null) => None,
        Some(Value::String(site)) if is_domain(site) => Some(site.clone()),
        Some(_) => return Err(wrong("site: must be the domain of a site")),
    };
    let limit = match fields.get("limit") {
        None | Some(Value::Null) => LIMIT,
        Some(limit) => {
            let limit = limit.as_u64().filter(|limit| (1..=LIMIT_MAX).contains(limit));
            limit.ok_or_else(|| wrong(&format!("limit: must be a whole number from 1 to {LIMIT_MAX}")))?
        }
    };
    Ok(Action::Diff { site, limit })
}

/// Can be an argument of a command: no option, no escape.
fn is_domain(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphanumeric()) && text.len() <= 300 && !text.chars().any(char::is_control)
}

fn object(body: &Value) -> Result<&Map<String, Value>, OperatorRefusal> {
    body.as_object().ok_or_else(|| wrong("the body must be an object"))
}

fn wrong(text: &str) -> OperatorRefusal {
    OperatorRefusal::Invalid(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_can_be_asked_for() {
        let read = |name: &str, body: Value| Action::read(name, &body).unwrap().unwrap();
        let planned = |start, partition, rules| Action::Plan(PlanWanted { start, partition, rules });
        assert_eq!(read("plan", json!({"from_seq": 7})), planned(PlanStart::Seq(7), None, PlanRules::Unchanged));
        let time = "2026-11-21T10:00:00Z";
        let files = BTreeMap::from([("sources.json".to_owned(), "{}".to_owned())]);
        assert_eq!(
            read("plan", json!({"from_time": time, "partition": 1, "rules": {"sources.json": "{}"}})),
            planned(PlanStart::Time(time.to_owned()), Some(1), PlanRules::Files(files))
        );
        assert_eq!(
            read("plan", json!({"from_seq": 1, "rules": "built_in"})),
            planned(PlanStart::Seq(1), None, PlanRules::BuiltIn)
        );
        assert_eq!(read("diff", json!({})), Action::Diff { site: None, limit: 20 });
        assert_eq!(
            read("diff", json!({"site": "a.example", "limit": 3})),
            Action::Diff { site: Some("a.example".to_owned()), limit: 3 }
        );
        for name in ["run", "promote", "rollback", "discard"] {
            assert_eq!(read(name, json!({})).name(), name);
        }
        assert_eq!(Action::read("teleport", &json!({})), None);
    }

    #[test]
    fn what_cannot() {
        for (name, body, text) in [
            ("plan", json!([]), "the body must be an object"),
            ("plan", json!({}), "one of from_seq and from_time is needed"),
            ("plan", json!({"from_seq": 1, "from_time": "x"}), "one of from_seq and from_time is needed"),
            ("plan", json!({"from_seq": 0}), "from_seq: "),
            ("plan", json!({"from_time": "yesterday"}), "from_time: "),
            ("plan", json!({"from_seq": 1, "partition": -1}), "partition: "),
            ("plan", json!({"from_seq": 1, "rules": "mine"}), "rules: must be unchanged"),
            ("plan", json!({"from_seq": 1, "rules": {}}), "rules: at least one file"),
            ("plan", json!({"from_seq": 1, "rules": {"../x.json": "{}"}}), "rules: \"../x.json\" is not"),
            ("plan", json!({"from_seq": 1, "rules": {".json": "{}"}}), "rules: \".json\" is not"),
            ("plan", json!({"from_seq": 1, "rules": {"a.json": 7}}), "rules: a.json must be"),
            ("diff", json!({"limit": 0}), "limit: "),
            ("diff", json!({"site": "--limit"}), "site: "),
            ("diff", json!({"site": 7}), "site: "),
        ] {
            let refusal = Action::read(name, &body).unwrap().unwrap_err();
            assert!(refusal.to_string().starts_with(text), "{body}: {refusal}");
        }
    }
}
