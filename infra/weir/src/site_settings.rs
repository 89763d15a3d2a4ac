//! `weir site set` and `weir site show`: limits, the site's script, and what to paste into its pages.

use crate::cli::{CollectorOption, SetOptions};
use crate::output::Output;
use crate::session::Session;
use crate::{shields, sites};
use anyhow::Result;
use serde::Serialize;
use weir_event::site::{Limits, ScriptSettings, Settings, Site, classic_snippet, script_id, snippet};

/// A site as commands show it.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    #[serde(flatten)]
    site: Site,
    /// All settings, also those that nobody chose.
    #[serde(rename = "settings")]
    all_settings: Settings,
    /// Name of the site's own script: `/js/pa-<script_id>.js`.
    script_id: String,
    /// What to paste into the site's pages: its own script, with these settings.
    snippet: String,
    /// The same by Plausible's older way, where the page names site and extensions.
    classic_snippet: String,
}

impl Shown {
    /// `collector_url` is where browsers reach the collector.
    pub(crate) fn new(mut site: Site, collector_url: &str) -> Self {
        let all_settings = std::mem::take(&mut site.settings);
        let script_id = script_id(&site.domain);
        let snippet = snippet(&site.domain, collector_url);
        let classic_snippet = classic_snippet(&site.domain, collector_url);
        Self { site, all_settings, script_id, snippet, classic_snippet }
    }

    /// What `site add` says.
    pub(crate) fn added_text(&self) -> String {
        format!(
            "site {} added with number {}: the edge takes its events within 5 s. Paste into its pages:\n{}",
            self.site.domain, self.site.id, self.snippet
        )
    }

    /// One line.
    pub(crate) fn line(&self) -> String {
        let Site { id, domain, timezone, partition, .. } = &self.site;
        format!("{id:<6} {domain:<40} {timezone:<24} partition {partition:<3} pa-{}.js", self.script_id)
    }

    fn text(&self) -> String {
        let Settings { shields, limits, script, retention_days } = &self.all_settings;
        let limit = |per_s: u32| if per_s == 0 { "off".to_owned() } else { format!("{per_s} events/s") };
        let on = |is_on: bool| if is_on { "on" } else { "off" };
        let mut lines = vec![
            self.line(),
            format!("limits of an edge: site {}, address {}", limit(limits.site_per_s), limit(limits.address_per_s)),
            format!(
                "script: outbound-links {}, file-downloads {}, form-submissions {}, hash-routing {}, web-vitals {}, respect-gpc {}",
                on(script.outbound_links),
                on(script.file_downloads),
                on(script.form_submissions),
                on(script.hash_routing),
                on(script.web_vitals),
                on(script.respect_gpc)
            ),
        ];
        if *retention_days > 0 {
            lines.push(format!("events are kept for {retention_days} days"));
        }
        lines.extend(shields::text(shields).into_iter().map(|line| format!("shield: {line}")));
        lines.push(format!("snippet:\n{}\nor:\n{}", self.snippet, self.classic_snippet));
        lines.join("\n")
    }
}

/// Where browsers reach the collector: what was given, else the first edge of this machine.
pub(crate) fn collector_url(session: &Session, option: &CollectorOption) -> String {
    option.collector_url.as_deref().unwrap_or(&session.run.collector_url).trim_end_matches('/').to_owned()
}

/// Shows a site with everything that was set.
pub(crate) async fn show(session: &Session, domain: &str, option: &CollectorOption, output: Output) -> Result<()> {
    let shown = Shown::new(sites::require(session, domain).await?, &collector_url(session, option));
    output.result(&shown, &shown.text())
}

/// Changes what was given, leaves the rest.
pub(crate) async fn set(session: &Session, domain: &str, options: &SetOptions, output: Output) -> Result<()> {
    let site = sites::update(session, domain, |site| {
        apply(&mut site.settings, options);
        Ok(())
    })
    .await?;
    let shown = Shown::new(site, &collector_url(session, &options.collector));
    output.result(&shown, &format!("{}\nin force at the edge within 5 s", shown.text()))
}

fn apply(settings: &mut Settings, options: &SetOptions) {
    let Limits { site_per_s, address_per_s } = &mut settings.limits;
    let ScriptSettings { outbound_links, file_downloads, form_submissions, hash_routing, web_vitals, respect_gpc } =
        &mut settings.script;
    for (setting, given) in [(site_per_s, options.site_events_per_s), (address_per_s, options.address_events_per_s)] {
        *setting = given.unwrap_or(*setting);
    }
    for (setting, given) in [
        (outbound_links, options.outbound_links),
        (file_downloads, options.file_downloads),
        (form_submissions, options.form_submissions),
        (hash_routing, options.hash_routing),
        (web_vitals, options.web_vitals),
        (respect_gpc, options.respect_gpc),
    ] {
        *setting = given.unwrap_or(*setting);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_given_changes() {
        let mut settings = Settings::default();
        let options = SetOptions { site_events_per_s: Some(50), web_vitals: Some(true), ..SetOptions::default() };
        apply(&mut settings, &options);
        let expected = Settings {
            limits: Limits { site_per_s: 50, address_per_s: 0 },
            script: ScriptSettings { web_vitals: true, ..ScriptSettings::default() },
            ..Settings::default()
        };
        assert_eq!(settings, expected);
        apply(&mut settings, &SetOptions { site_events_per_s: Some(0), ..SetOptions::default() });
        assert_eq!(settings.limits, Limits::default());
        assert!(settings.script.web_vitals);
    }

    #[test]
    fn shown_with_all_settings_and_a_snippet() {
        let site = Site {
            id: 3,
            domain: "shop.example".into(),
            timezone: "UTC".into(),
            partition: 1,
            created_ms: 5,
            account: None,
            former_domain: None,
            renamed_ms: 0,
            settings: Settings::default(),
        };
        let shown = Shown::new(site, "https://edge.example");
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(json["settings"]["script"]["outbound_links"], true);
        assert_eq!((&json["id"], &json["domain"]), (&3.into(), &"shop.example".into()));
        let source = format!("src=\"https://edge.example/js/pa-{}.js\"", script_id("shop.example"));
        assert!(json["snippet"].as_str().unwrap().contains(&source), "{json}");
        assert!(shown.text().contains("data-domain=\"shop.example\""));
    }
}
