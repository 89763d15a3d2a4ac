//! What a user agent says: browser, operating system, device class, bot.

use super::bots::Bots;
use super::data::{RuleData, RulesError, expression, parse_toml};
use regex::Regex;
use serde::Deserialize;
use std::collections::HashMap;
use ua_parser::{os, user_agent};

/// Mark of a visit whose user agent is a bot's, in the column `bot`.
const BOT_BY_AGENT: u8 = 3;
/// What uap-core calls an unknown family.
const UNKNOWN: &str = "Other";

/// A judged user agent. Empty texts stand for unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Agent {
    /// Browser name.
    pub browser: String,
    /// `major.minor`, or `major` where the user agent tells no more.
    pub browser_version: String,
    /// Operating system name.
    pub os: String,
    /// As `browser_version`.
    pub os_version: String,
    /// `Desktop`, `Mobile` or `Tablet`.
    pub device: String,
    /// 3 = a bot's, 0 = not.
    pub bot: u8,
}

pub(super) struct Agents {
    browsers: user_agent::Extractor<'static>,
    systems: os::Extractor<'static>,
    browser_names: HashMap<String, String>,
    system_names: HashMap<String, String>,
    devices: Vec<DeviceRule>,
    bots: Bots,
}

/// The part of uap-core's file that is used: device models are not told apart.
#[derive(Deserialize)]
struct UserAgentsFile {
    user_agent_parsers: Vec<user_agent::Parser<'static>>,
    os_parsers: Vec<os::Parser<'static>>,
}

#[derive(Deserialize)]
struct AgentsFile {
    browsers: HashMap<String, String>,
    systems: HashMap<String, String>,
    device: Vec<DeviceEntry>,
}

#[derive(Deserialize)]
struct DeviceEntry {
    class: String,
    systems: Option<Vec<String>>,
    agent: Option<String>,
    unless: Option<String>,
}

struct DeviceRule {
    class: String,
    systems: Option<Vec<String>>,
    agent: Option<Regex>,
    unless: Option<Regex>,
}

impl Agents {
    pub(super) fn new(data: &RuleData) -> Result<Self, RulesError> {
        let expressions: UserAgentsFile = serde_yaml_ng::from_str(&data.user_agents)?;
        let names: AgentsFile = parse_toml("agents.toml", &data.agents)?;
        let browsers = user_agent::Builder::new().push_all(expressions.user_agent_parsers)?;
        let systems = os::Builder::new().push_all(expressions.os_parsers).map_err(ua_parser::Error::from)?;
        Ok(Self {
            browsers: browsers.build().map_err(ua_parser::Error::from)?,
            systems: systems.build().map_err(ua_parser::Error::from)?,
            browser_names: names.browsers,
            system_names: names.systems,
            devices: names.device.into_iter().map(DeviceRule::new).collect::<Result<_, _>>()?,
            bots: Bots::new(data)?,
        })
    }

    pub(super) fn judge(&self, raw: &str) -> Agent {
        let mut agent = Agent::default();
        if let Some(found) = self.browsers.extract(raw).filter(|found| found.family != UNKNOWN) {
            agent.browser = renamed(&self.browser_names, &found.family);
            agent.browser_version = version(found.major, found.minor);
        }
        if let Some(found) = self.systems.extract(raw).filter(|found| found.os != UNKNOWN) {
            agent.os = renamed(&self.system_names, &found.os);
            agent.os_version = version(found.major.as_deref(), found.minor.as_deref());
        }
        agent.device =
            self.devices.iter().find(|rule| rule.holds(&agent.os, raw)).map(|rule| rule.class.clone()).unwrap_or_default();
        agent.bot = if self.bots.is_bot(raw) { BOT_BY_AGENT } else { 0 };
        agent
    }
}

impl std::fmt::Debug for Agents {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Agents").finish_non_exhaustive()
    }
}

impl DeviceRule {
    fn new(entry: DeviceEntry) -> Result<Self, RulesError> {
        let compile = |pattern: Option<String>| pattern.map(|pattern| expression("agents.toml", &pattern)).transpose();
        Ok(Self { class: entry.class, systems: entry.systems, agent: compile(entry.agent)?, unless: compile(entry.unless)? })
    }

    fn holds(&self, os: &str, raw: &str) -> bool {
        self.systems.as_ref().is_none_or(|systems| systems.iter().any(|system| system == os))
            && self.agent.as_ref().is_none_or(|agent| agent.is_match(raw))
            && !self.unless.as_ref().is_some_and(|unless| unless.is_match(raw))
    }
}

fn renamed(names: &HashMap<String, String>, family: &str) -> String {
    names.get(family).map_or(family, String::as_str).to_owned()
}

fn version(major: Option<&str>, minor: Option<&str>) -> String {
    match (major.filter(|major| !major.is_empty()), minor.filter(|minor| !minor.is_empty())) {
        (Some(major), Some(minor)) => format!("{major}.{minor}"),
        (Some(major), None) => major.to_owned(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Rules;

    /// One line of a user agent's judgement.
    fn judged(raw: &str) -> String {
        let agent = Rules::built_in().unwrap().agent(raw);
        let mark = if agent.bot > 0 { "bot" } else { "-" };
        format!("{}|{}|{}|{}|{}|{mark}", agent.browser, agent.browser_version, agent.os, agent.os_version, agent.device)
    }

    #[test]
    fn user_agents_are_told_apart() {
        let check = |raw: &str, expected: &str| assert_eq!(judged(raw), expected, "{raw}");
        let windows = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko)";
        check(&format!("{windows} Chrome/131.0.0.0 Safari/537.36"), "Chrome|131.0|Windows|10|Desktop|-");
        check(
            &format!("{windows} Chrome/131.0.0.0 Safari/537.36 Edg/131.0.2903.86"),
            "Microsoft Edge|131.0|Windows|10|Desktop|-",
        );
        check(&format!("{windows} Chrome/130.0.0.0 Safari/537.36 OPR/115.0.0.0"), "Opera|115.0|Windows|10|Desktop|-");
        check(
            "Mozilla/5.0 (Windows NT 6.1; WOW64; Trident/7.0; rv:11.0) like Gecko",
            "Internet Explorer|11.0|Windows|7|Desktop|-",
        );
        check(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4.1 Safari/605.1.15",
            "Safari|17.4|Mac|10.15|Desktop|-",
        );
        let ios = "AppleWebKit/605.1.15 (KHTML, like Gecko)";
        check(
            &format!("Mozilla/5.0 (iPhone; CPU iPhone OS 17_4_1 like Mac OS X) {ios} Version/17.4.1 Mobile/15E148 Safari/604.1"),
            "Safari|17.4|iOS|17.4|Mobile|-",
        );
        check(
            &format!("Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) {ios} Version/16.6 Mobile/15E148 Safari/604.1"),
            "Safari|16.6|iOS|16.6|Tablet|-",
        );
        check(
            &format!(
                "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) {ios} CriOS/131.0.6778.73 Mobile/15E148 Safari/604.1"
            ),
            "Chrome|131.0|iOS|17.4|Mobile|-",
        );
        let android = |inner: &str, rest: &str| format!("Mozilla/5.0 ({inner}) AppleWebKit/537.36 (KHTML, like Gecko) {rest}");
        check(&android("Linux; Android 10; K", "Chrome/131.0.0.0 Mobile Safari/537.36"), "Chrome|131.0|Android|10|Mobile|-");
        check(&android("Linux; Android 13; SM-X906C", "Chrome/131.0.0.0 Safari/537.36"), "Chrome|131.0|Android|13|Tablet|-");
        check(
            &android("Linux; Android 13; SAMSUNG SM-S918B", "SamsungBrowser/23.0 Chrome/115.0.0.0 Mobile Safari/537.36"),
            "Samsung Browser|23.0|Android|13|Mobile|-",
        );
        check(
            &android("Linux; Android 9; CUBOT_NOTE_S", "Chrome/89.0.1.2 Mobile Safari/537.36"),
            "Chrome|89.0|Android|9|Mobile|-",
        );
        check(&android("Linux; Android 9; Cubot ONE", "Chrome/89.0.1.2 Mobile Safari/537.36"), "Chrome|89.0|Android|9|Mobile|-");
        check(
            &android("SMART-TV; Linux; Tizen 6.0", "SamsungBrowser/4.0 Chrome/76.0.3809.146 TV Safari/537.36"),
            "Samsung Browser|4.0|Tizen|6.0|Desktop|-",
        );
        check("Mozilla/5.0 (Android 14; Tablet; rv:133.0) Gecko/133.0 Firefox/133.0", "Firefox|133.0|Android|14|Tablet|-");
        check(
            "Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Firefox|133.0|GNU/Linux||Desktop|-",
        );
        check(
            &android("X11; CrOS x86_64 14541.0.0", "Chrome/131.0.0.0 Safari/537.36"),
            "Chrome|131.0|Chrome OS|14541.0|Desktop|-",
        );
        check("", "|||||-");
        check("garbage", "|||||-");
    }

    #[test]
    fn bots_are_recognised() {
        let is_bot = |raw: &str| Rules::built_in().unwrap().agent(raw).bot == 3;
        for bot in [
            "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
            "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
            "curl/8.5.0",
            "python-requests/2.31.0",
            "Go-http-client/1.1",
            "LumiBot 2.0",
            "UniversalFeedParser/4.2-pre-314-svn +http://feedparser.org/",
            "Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)",
            "Ruby",
        ] {
            assert!(is_bot(bot), "{bot}");
        }
        assert!(!is_bot("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:133.0) Gecko/20100101 Firefox/133.0"));
    }
}
