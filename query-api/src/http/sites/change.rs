//! What `PATCH /api/sites/{domain}/settings` changes of a site: time zone, script, limits, shields. Pure.

use super::refusal::SitesRefusal;
use serde_json::{Map, Value};
use weir_event::shield::Shields;
use weir_event::site::{Limits, ScriptSettings, Site};
use weir_reader::control::names;
use weir_reader::control::shields::{self, ShieldKind};

/// Most events a second that can be a limit.
const PER_S_MAX: u64 = 1_000_000;

/// Changes what the body names, and leaves the rest.
pub(super) fn apply(site: &mut Site, body: &Value) -> Result<(), SitesRefusal> {
    for (name, value) in object("settings", body)? {
        match name.as_str() {
            "timezone" => {
                let zone = value.as_str().ok_or_else(|| wrong(name, "must be a text"))?;
                site.timezone = names::timezone(zone).map_err(|error| wrong(name, &error.to_string()))?;
            }
            "script" => script(&mut site.settings.script, value)?,
            "limits" => limits(&mut site.settings.limits, value)?,
            "shields" => all_shields(&mut site.settings.shields, value)?,
            _ => return Err(wrong(name, "is not a setting; there are timezone, script, limits, shields")),
        }
    }
    Ok(())
}

fn script(script: &mut ScriptSettings, wanted: &Value) -> Result<(), SitesRefusal> {
    for (name, value) in object("script", wanted)? {
        let path = format!("script.{name}");
        let setting = match name.as_str() {
            "outbound_links" => &mut script.outbound_links,
            "file_downloads" => &mut script.file_downloads,
            "form_submissions" => &mut script.form_submissions,
            "hash_routing" => &mut script.hash_routing,
            "web_vitals" => &mut script.web_vitals,
            "respect_gpc" => &mut script.respect_gpc,
            _ => return Err(wrong(&path, "is not a switch of the script")),
        };
        *setting = value.as_bool().ok_or_else(|| wrong(&path, "must be true or false"))?;
    }
    Ok(())
}

fn limits(limits: &mut Limits, wanted: &Value) -> Result<(), SitesRefusal> {
    for (name, value) in object("limits", wanted)? {
        let path = format!("limits.{name}");
        let limit = match name.as_str() {
            "site_per_s" => &mut limits.site_per_s,
            "address_per_s" => &mut limits.address_per_s,
            _ => return Err(wrong(&path, "is not a limit")),
        };
        let number = value.as_u64().filter(|number| *number <= PER_S_MAX);
        let number = number.ok_or_else(|| wrong(&path, "must be a whole number from 0 (no limit) to 1000000"))?;
        *limit = u32::try_from(number).unwrap_or(u32::MAX);
    }
    Ok(())
}

/// A list that is named takes the place of the one that was there.
fn all_shields(shields: &mut Shields, wanted: &Value) -> Result<(), SitesRefusal> {
    for (name, value) in object("shields", wanted)? {
        let path = format!("shields.{name}");
        let kind = match name.as_str() {
            "addresses" => {
                shields.addresses.clear();
                ShieldKind::Address
            }
            "countries" => {
                shields.countries.clear();
                ShieldKind::Country
            }
            "pages" => {
                shields.pages.clear();
                ShieldKind::Page
            }
            "hostnames" => {
                shields.hostnames.clear();
                ShieldKind::Hostname
            }
            _ => return Err(wrong(&path, "is not a shield; there are addresses, countries, pages, hostnames")),
        };
        for entry in value.as_array().ok_or_else(|| wrong(&path, "must be a list"))? {
            let text = entry.as_str().ok_or_else(|| wrong(&path, "must be a list of texts"))?;
            let added = shields::parse(kind, text).and_then(|entry| shields::insert(shields, &entry));
            added.map_err(|error| wrong(&path, &error.to_string()))?;
        }
    }
    Ok(())
}

fn object<'a>(name: &str, value: &'a Value) -> Result<&'a Map<String, Value>, SitesRefusal> {
    value.as_object().ok_or_else(|| wrong(name, "must be an object"))
}

fn wrong(name: &str, problem: &str) -> SitesRefusal {
    SitesRefusal::Invalid(format!("{name}: {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use weir_event::site::Settings;

    fn site() -> Site {
        Site {
            id: 1,
            domain: "a.example".into(),
            timezone: "UTC".into(),
            partition: 0,
            created_ms: 1,
            account: None,
            former_domain: None,
            renamed_ms: 0,
            settings: Settings::default(),
        }
    }

    #[test]
    fn what_is_named_changes_and_the_rest_stays() {
        let mut changed = site();
        let body = json!({"timezone": "europe/berlin", "script": {"web_vitals": true}, "limits": {"address_per_s": 20},
            "shields": {"addresses": ["203.0.113.9", "203.0.113.9/32"], "countries": ["ru"]}});
        apply(&mut changed, &body).unwrap();
        assert_eq!((changed.timezone.as_str(), changed.settings.script.web_vitals), ("Europe/Berlin", true));
        assert!(changed.settings.script.outbound_links && changed.settings.limits.site_per_s == 0);
        assert_eq!(changed.settings.limits.address_per_s, 20);
        assert_eq!((changed.settings.shields.addresses.len(), &changed.settings.shields.countries), (1, &vec!["RU".to_owned()]));
        apply(&mut changed, &json!({"shields": {"addresses": []}})).unwrap();
        assert!(changed.settings.shields.addresses.is_empty() && changed.settings.shields.countries == ["RU"]);
        apply(&mut changed, &json!({})).unwrap();
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (body, text) in [
            (json!([]), "settings: must be an object"),
            (json!({"domain": "b"}), "domain: is not a setting; there are timezone, script, limits, shields"),
            (
                json!({"timezone": "Mars/Base"}),
                "timezone: \"Mars/Base\" is not a time zone of the IANA data base, like Europe/Berlin or UTC",
            ),
            (json!({"script": {"teleport": true}}), "script.teleport: is not a switch of the script"),
            (json!({"script": {"web_vitals": 1}}), "script.web_vitals: must be true or false"),
            (json!({"limits": {"site_per_s": -1}}), "limits.site_per_s: must be a whole number from 0 (no limit) to 1000000"),
            (
                json!({"shields": {"moons": []}}),
                "shields.moons: is not a shield; there are addresses, countries, pages, hostnames",
            ),
            (json!({"shields": {"pages": "/"}}), "shields.pages: must be a list"),
            (json!({"shields": {"pages": [7]}}), "shields.pages: must be a list of texts"),
            (
                json!({"shields": {"countries": ["X1"]}}),
                "shields.countries: \"X1\" is not a country's code of two letters like DE",
            ),
        ] {
            assert_eq!(apply(&mut site(), &body), Err(SitesRefusal::Invalid(text.to_owned())));
        }
        let many: Vec<String> = (0..501).map(|number| format!("/{number}")).collect();
        let full = apply(&mut site(), &json!({"shields": {"pages": many}})).unwrap_err().to_string();
        assert!(full.starts_with("shields.pages: the list has 500 entries already"), "{full}");
    }
}
