//! The acquisition channel of a visit, by the ordered table of `channels.toml`.

use super::Entrance;
use super::data::{RulesError, expression, parse_toml};
use super::source::Found;
use regex::Regex;
use serde::Deserialize;
use std::collections::BTreeMap;

const FILE: &str = "channels.toml";

#[derive(Debug)]
pub(super) struct Channels {
    channels: Vec<Channel>,
    fallback: String,
}

#[derive(Debug)]
struct Channel {
    name: String,
    when: Vec<Alternative>,
}

/// All that are given must match.
#[derive(Debug)]
struct Alternative {
    category: Option<String>,
    source: Option<Regex>,
    tag: Option<Regex>,
    medium: Option<Regex>,
    campaign: Option<Regex>,
    click_id: Option<Regex>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelsFile {
    fallback: String,
    names: BTreeMap<String, String>,
    channel: Vec<ChannelEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChannelEntry {
    name: String,
    when: Vec<AlternativeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AlternativeEntry {
    category: Option<String>,
    source: Option<String>,
    tag: Option<String>,
    medium: Option<String>,
    campaign: Option<String>,
    click_id: Option<String>,
}

/// What the table looks at.
pub(super) struct Facts<'a> {
    pub(super) source: &'a Found,
    pub(super) entrance: &'a Entrance<'a>,
}

impl Channels {
    pub(super) fn new(text: &str) -> Result<Self, RulesError> {
        let file: ChannelsFile = parse_toml(FILE, text)?;
        let names = file.names;
        let compile = |pattern: Option<String>| pattern.map(|pattern| named_expression(&names, &pattern)).transpose();
        let alternative = |entry: AlternativeEntry| {
            Ok(Alternative {
                category: entry.category,
                source: compile(entry.source)?,
                tag: compile(entry.tag)?,
                medium: compile(entry.medium)?,
                campaign: compile(entry.campaign)?,
                click_id: compile(entry.click_id)?,
            })
        };
        let channel = |entry: ChannelEntry| {
            let when = entry.when.into_iter().map(alternative).collect::<Result<_, RulesError>>()?;
            Ok(Channel { name: entry.name, when })
        };
        let channels = file.channel.into_iter().map(channel).collect::<Result<_, RulesError>>()?;
        Ok(Self { channels, fallback: file.fallback })
    }

    pub(super) fn of(&self, facts: &Facts) -> String {
        let Facts { source, entrance } = facts;
        let values = Values {
            category: &source.category,
            source: source.name.to_lowercase(),
            tag: entrance.utm_source.trim().to_lowercase(),
            medium: entrance.utm_medium.trim().to_lowercase(),
            campaign: entrance.utm_campaign.trim().to_lowercase(),
            click_id: entrance.click_id.to_lowercase(),
        };
        let first = self.channels.iter().find(|channel| channel.when.iter().any(|alternative| alternative.holds(&values)));
        first.map_or_else(|| self.fallback.clone(), |channel| channel.name.clone())
    }
}

struct Values<'a> {
    category: &'a str,
    source: String,
    tag: String,
    medium: String,
    campaign: String,
    click_id: String,
}

impl Alternative {
    fn holds(&self, values: &Values) -> bool {
        let matches = |pattern: &Option<Regex>, value: &str| pattern.as_ref().is_none_or(|pattern| pattern.is_match(value));
        self.category.as_ref().is_none_or(|category| category == values.category)
            && matches(&self.source, &values.source)
            && matches(&self.tag, &values.tag)
            && matches(&self.medium, &values.medium)
            && matches(&self.campaign, &values.campaign)
            && matches(&self.click_id, &values.click_id)
    }
}

/// An expression, or `{name}` for one of the named.
fn named_expression(names: &BTreeMap<String, String>, pattern: &str) -> Result<Regex, RulesError> {
    let name = pattern.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    match name {
        None => expression(FILE, pattern),
        Some(name) => {
            let pattern = names.get(name).ok_or_else(|| RulesError::UndefinedName { name: name.to_owned() })?;
            expression(FILE, pattern)
        }
    }
}
