//! The rules that give a visit its attributes: versioned data, compiled once, with bounded caches.
//!
//! Every answer is a function of the input and the data; the caches only save time. The raw user agent and referrer stay in the stream,
//! so that a replay with newer data can answer anew.

mod agent;
mod bots;
mod cache;
mod channel;
mod data;
mod referrer;
mod source;

use cache::Cache;
use std::sync::{Arc, OnceLock};

pub use agent::Agent;
pub use data::{RULE_FILE_BYTES_MAX, RULES_VERSION, RuleData, RulesError};

/// User agents are judged by their first characters up to this many bytes.
const AGENT_BYTES_MAX: usize = 2000;
/// Entries of a cache generation. Two caches of two generations with entries of about 1 kB at most: 2 × 2 × 10,000 × 1 kB = 40 MB.
const CACHE_ENTRIES_MAX: usize = 10_000;
/// Longer keys are judged afresh each time.
const CACHE_KEY_BYTES_MAX: usize = 600;

/// Compiled rules.
#[derive(Debug)]
pub struct Rules {
    data: RuleData,
    digest: String,
    agents: agent::Agents,
    sources: source::Sources,
    channels: channel::Channels,
    agent_cache: Cache<Agent>,
    acquisition_cache: Cache<Acquisition>,
}

/// What an opening event says of where the visitor came from.
#[derive(Clone, Copy, Debug, Default)]
pub struct Entrance<'a> {
    /// Host of the page.
    pub hostname: &'a str,
    /// Raw referrer.
    pub referrer: &'a str,
    /// `utm_source`, `source` or `ref`.
    pub utm_source: &'a str,
    /// `utm_medium`.
    pub utm_medium: &'a str,
    /// `utm_campaign`.
    pub utm_campaign: &'a str,
    /// Name of the click-id parameter.
    pub click_id: &'a str,
}

/// Where a visitor came from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acquisition {
    /// Name of the source; empty = direct.
    pub source: String,
    /// Referrer as host and path, without `www.`, query and trailing slash; empty = none, or a page of the site itself.
    pub referrer: String,
    /// Acquisition channel.
    pub channel: String,
}

impl Rules {
    /// The rules this program was built with; compiled at the first call, then shared.
    ///
    /// # Errors
    /// When a data file is not readable, which the tests exclude.
    pub fn built_in() -> Result<Arc<Self>, RulesError> {
        static BUILT_IN: OnceLock<Arc<Rules>> = OnceLock::new();
        if let Some(rules) = BUILT_IN.get() {
            return Ok(Arc::clone(rules));
        }
        let rules = Arc::new(Self::new(RuleData::built_in())?);
        Ok(Arc::clone(BUILT_IN.get_or_init(|| rules)))
    }

    /// Compiles rule data, say of another logic version.
    ///
    /// # Errors
    /// When a file is not readable or an expression does not compile.
    pub fn new(data: RuleData) -> Result<Self, RulesError> {
        Ok(Self {
            digest: data.digest(),
            agents: agent::Agents::new(&data)?,
            sources: source::Sources::new(&data.sources)?,
            channels: channel::Channels::new(&data.channels)?,
            agent_cache: Cache::new(CACHE_ENTRIES_MAX, CACHE_KEY_BYTES_MAX),
            acquisition_cache: Cache::new(CACHE_ENTRIES_MAX, CACHE_KEY_BYTES_MAX),
            data,
        })
    }

    /// The files the rules were compiled from.
    pub fn data(&self) -> &RuleData {
        &self.data
    }

    /// SHA-256 over all rule data, 64 hex digits.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// The logic version: fold version and the first 16 hex digits of the digest.
    pub fn logic(&self) -> String {
        format!("{}-{}", crate::fold::FOLD_VERSION, self.digest.get(..16).unwrap_or_default())
    }

    /// What a raw user agent says.
    pub fn agent(&self, user_agent: &str) -> Arc<Agent> {
        let user_agent = prefix(user_agent, AGENT_BYTES_MAX);
        self.agent_cache.get_or_insert(user_agent, || self.agents.judge(user_agent))
    }

    /// Where an opening event came from.
    pub fn acquisition(&self, entrance: &Entrance) -> Arc<Acquisition> {
        let Entrance { hostname, referrer, utm_source, utm_medium, utm_campaign, click_id } = *entrance;
        let key = [hostname, referrer, utm_source, utm_medium, utm_campaign, click_id].join("\n");
        self.acquisition_cache.get_or_insert(&key, || self.judge(entrance))
    }

    fn judge(&self, entrance: &Entrance) -> Acquisition {
        let referrer = referrer::parse(entrance.referrer).filter(|referrer| !referrer.is_internal(entrance.hostname));
        let tag = entrance.utm_source.trim();
        let source = if tag.is_empty() {
            match &referrer {
                None => source::Found::default(),
                Some(app) if app.is_app => self.sources.of_app(&app.host),
                Some(page) => self.sources.of_host(&page.host),
            }
        } else {
            self.sources.of_tag(tag)
        };
        let channel = self.channels.of(&channel::Facts { source: &source, entrance });
        Acquisition { source: source.name, referrer: referrer.map(|referrer| referrer.text()).unwrap_or_default(), channel }
    }
}

/// The longest prefix of whole characters within the limit.
fn prefix(text: &str, bytes_max: usize) -> &str {
    text.get(..text.floor_char_boundary(bytes_max)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acquired(entrance: &Entrance) -> [String; 3] {
        let acquisition = Rules::built_in().unwrap().acquisition(entrance);
        [acquisition.source.clone(), acquisition.referrer.clone(), acquisition.channel.clone()]
    }

    #[test]
    fn referrers_give_source_referrer_and_channel() {
        let check = |referrer: &str, expected: [&str; 3]| {
            assert_eq!(acquired(&Entrance { hostname: "shop.example", referrer, ..Entrance::default() }), expected, "{referrer}");
        };
        check("", ["", "", "Direct"]);
        check("-", ["", "", "Direct"]);
        check("https://www.shop.example/cart", ["", "", "Direct"]);
        check("https://www.google.com/", ["Google", "google.com", "Organic Search"]);
        check("https://www.google.co.uk/search?q=weir", ["Google", "google.co.uk/search", "Organic Search"]);
        check("https://t.co/abc/", ["Twitter", "t.co/abc", "Organic Social"]);
        check("https://www.youtube.com/watch?v=1", ["YouTube", "youtube.com/watch", "Organic Video"]);
        check("https://chatgpt.com/", ["ChatGPT", "chatgpt.com", "AI Assistants"]);
        check("https://mail.google.com/mail/u/0/", ["Gmail", "mail.google.com/mail/u/0", "Email"]);
        check("android-app://com.google.android.gm/", ["Gmail", "com.google.android.gm", "Email"]);
        check("https://www.amazon.de/", ["Amazon", "amazon.de", "Organic Shopping"]);
        check("https://docs.google.com/x", ["Google Workspace", "docs.google.com/x", "Referral"]);
        check("https://blog.example/post?id=1", ["blog.example", "blog.example/post", "Referral"]);
    }

    #[test]
    fn campaigns_give_source_and_channel() {
        let check = |[utm_source, utm_medium, utm_campaign, click_id, referrer]: [&str; 5], source: &str, channel: &str| {
            let entrance = Entrance { hostname: "shop.example", referrer, utm_source, utm_medium, utm_campaign, click_id };
            let [found_source, _, found_channel] = acquired(&entrance);
            assert_eq!((found_source.as_str(), found_channel.as_str()), (source, channel), "{entrance:?}");
        };
        let google = "https://www.google.com/";
        check(["google", "cpc", "", "", ""], "Google", "Paid Search");
        check(["google", "CPC", "", "", ""], "Google", "Paid Search");
        check(["google", "organic", "", "", ""], "Google", "Organic Search");
        check(["google", "cpc", "Cross-network", "", ""], "Google", "Cross-network");
        check(["google", "cpc", "spring-shopping", "", ""], "Google", "Paid Shopping");
        check(["google", "", "e-shop-2025", "", ""], "Google", "Organic Shopping");
        check(["google", "", "workshop-2025", "", ""], "Google", "Organic Search");
        check(["adwords", "", "", "", ""], "Google", "Paid Search");
        check(["", "", "", "gclid", google], "Google", "Paid Search");
        check(["", "", "", "msclkid", google], "Google", "Organic Search");
        check(["", "", "", "msclkid", "https://www.bing.com/search"], "Bing", "Paid Search");
        check(["", "", "", "gclid", ""], "", "Direct");
        check(["fb", "paid_social", "", "", ""], "Facebook", "Paid Social");
        check(["facebook-ads", "", "", "", ""], "Facebook", "Paid Social");
        check(["threads", "", "", "", ""], "Threads", "Organic Social");
        check(["youtube", "ppc", "", "", ""], "YouTube", "Paid Video");
        check(["blog", "banner", "", "", ""], "blog", "Display");
        check(["blog", "cpm", "", "", ""], "blog", "Display");
        check(["blog", "cpc", "", "", ""], "blog", "Paid Other");
        check(["blog", "social", "", "", ""], "blog", "Organic Social");
        check(["blog", "video-post", "", "", ""], "blog", "Organic Video");
        check(["spring", "e-mail", "", "", ""], "spring", "Email");
        check(["Spring Newsletter", "", "", "", google], "Spring Newsletter", "Email");
        check(["partner", "affiliate", "", "", ""], "partner", "Affiliates");
        check(["partner", "audio", "", "", ""], "partner", "Audio");
        check(["sms", "", "", "", ""], "sms", "SMS");
        check(["app", "web-push", "", "", ""], "app", "Mobile Push Notifications");
        check(["firebase", "", "", "", ""], "firebase", "Mobile Push Notifications");
        check(["partner", "whatever", "", "", ""], "partner", "Referral");
        check(["", "link", "", "", ""], "", "Referral");
        check(["", "whatever", "", "", ""], "", "Direct");
        check(["chatgpt.com", "", "", "", ""], "ChatGPT", "AI Assistants");
        check(["newsletter", "", "", "", "https://shop.example/"], "newsletter", "Email");
    }

    #[test]
    fn the_digest_names_the_data() {
        let rules = Rules::built_in().unwrap();
        assert_eq!(rules.digest().len(), 64);
        assert_eq!(rules.logic(), format!("3-{}", rules.digest().get(..16).unwrap()));
        let mut data = rules.data().clone();
        assert_eq!(data.digest(), rules.digest());
        data.channels.to_mut().push(' ');
        assert_ne!(data.digest(), rules.digest());
    }

    #[test]
    fn unreadable_data_is_refused() {
        let refused = |change: fn(&mut RuleData)| {
            let mut data = RuleData::built_in();
            change(&mut data);
            Rules::new(data).unwrap_err()
        };
        assert!(matches!(refused(|data| data.user_agents = "a: [".into()), RulesError::UserAgents(_)));
        assert!(matches!(refused(|data| data.crawlers = "{}".into()), RulesError::Crawlers(_)));
        assert!(matches!(
            refused(|data| data.bots = "patterns = ['(']".into()),
            RulesError::Expression { file: "bots.toml", .. }
        ));
        assert!(matches!(refused(|data| data.sources = "x".into()), RulesError::Toml { file: "sources.toml", .. }));
        let undefined = "fallback = ''\n[names]\n[[channel]]\nname = 'A'\nwhen = [{ medium = '{paid}' }]";
        let mut data = RuleData::built_in();
        data.channels = undefined.into();
        assert!(matches!(Rules::new(data).unwrap_err(), RulesError::UndefinedName { name } if name == "paid"));
    }

    #[test]
    fn absurdly_long_texts_are_judged() {
        let rules = Rules::built_in().unwrap();
        let long = "ä".repeat(100_000);
        assert_eq!(rules.agent(&long).browser, "");
        let referrer = format!("https://{long}.example/{long}");
        assert_eq!(rules.acquisition(&Entrance { referrer: &referrer, ..Entrance::default() }).channel, "Referral");
    }
}
