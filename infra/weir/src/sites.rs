//! `weir site`: adding, listing and changing sites.

use crate::cli::CollectorOption;
use crate::output::Output;
use crate::session::{Session, now_ms};
use crate::site_settings::{Shown, collector_url};
use anyhow::{Context as _, Result, bail};
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use weir_event::domain::normalise_domain;
use weir_event::site::{Settings, Site};
use weir_event::subject::SITES_BUCKET;

/// Key of the next free site number.
const NEXT_ID: &str = "next_id";
/// Attempts to take a number while others do the same.
const ATTEMPTS_MAX: u32 = 50;

/// Adds a site and says so.
pub(crate) async fn add(session: &Session, domain: &str, timezone: &str, option: &CollectorOption, output: Output) -> Result<()> {
    let shown = Shown::new(create(session, domain, timezone).await?, &collector_url(session, option));
    output.result(&shown, &shown.added_text())
}

/// All sites, by domain.
pub(crate) async fn all(session: &Session) -> Result<Vec<Site>> {
    let mut sites = Vec::new();
    for entry in session.list(SITES_BUCKET, "site.>").await? {
        sites.push(parse(&entry.key, &entry.value.unwrap_or_default())?);
    }
    sites.sort_by(|a: &Site, b: &Site| a.domain.cmp(&b.domain));
    Ok(sites)
}

/// Lists the sites by domain.
pub(crate) async fn list(session: &Session, option: &CollectorOption, output: Output) -> Result<()> {
    let url = collector_url(session, option);
    let sites: Vec<Shown> = all(session).await?.into_iter().map(|site| Shown::new(site, &url)).collect();
    let lines: Vec<String> = sites.iter().map(Shown::line).collect();
    let text = if lines.is_empty() { "no sites yet: add one with `weir site add DOMAIN`".to_owned() } else { lines.join("\n") };
    output.result(&sites, &text)
}

/// The site of a domain.
pub(crate) async fn find(session: &Session, domain: &str) -> Result<Option<Site>> {
    let domain = check_domain(domain)?;
    let key = site_key(&domain);
    match session.get(SITES_BUCKET, &key).await? {
        Some(entry) => Ok(Some(parse(&key, &entry.value.unwrap_or_default())?)),
        None => Ok(None),
    }
}

/// The site of a domain, which must be there.
pub(crate) async fn require(session: &Session, domain: &str) -> Result<Site> {
    find(session, domain).await?.with_context(|| format!("there is no site {domain}: add it with `weir site add {domain}`"))
}

/// Adds a site.
pub(crate) async fn create(session: &Session, domain: &str, timezone: &str) -> Result<Site> {
    let domain = check_domain(domain)?;
    let timezone = check_timezone(timezone)?;
    if let Some(site) = find(session, &domain).await? {
        bail!("site {domain} is there already, with number {}", site.id);
    }
    let bucket = session.bucket(SITES_BUCKET).await?;
    let id = take_id(session, &bucket).await?;
    let site = Site {
        id,
        domain: domain.clone(),
        timezone,
        partition: id % session.run.partitions.max(1),
        created_ms: now_ms(),
        account: None,
        settings: Settings::default(),
    };
    match bucket.create(site_key(&domain), serde_json::to_vec(&site)?.into()).await {
        Ok(_) => Ok(site),
        Err(error) if error.kind() == CreateErrorKind::AlreadyExists => bail!("site {domain} was just added by somebody else"),
        Err(error) => Err(error).context("the site could not be stored"),
    }
}

/// Changes the record of a site. `change` is asked again when somebody else changed the record in between, so that no change gets lost.
pub(crate) async fn update(session: &Session, domain: &str, change: impl Fn(&mut Site) -> Result<()>) -> Result<Site> {
    let bucket = session.bucket(SITES_BUCKET).await?;
    let key = site_key(&require(session, domain).await?.domain);
    for _ in 0..ATTEMPTS_MAX {
        let Some(entry) = session.get(SITES_BUCKET, &key).await? else { bail!("site {domain} was just removed") };
        let before = parse(&key, &entry.value.unwrap_or_default())?;
        let mut site = before.clone();
        change(&mut site)?;
        if site == before {
            return Ok(site);
        }
        match bucket.update(&key, serde_json::to_vec(&site)?.into(), entry.revision).await {
            Ok(_) => return Ok(site),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
            Err(error) => return Err(error).context("the site could not be stored"),
        }
    }
    bail!("the record of {domain} is being changed by too many at once: try again")
}

/// Takes a number that no site ever had: the counter moves on before the site is written.
async fn take_id(session: &Session, bucket: &Store) -> Result<u32> {
    for _ in 0..ATTEMPTS_MAX {
        let Some(entry) = session.get(SITES_BUCKET, NEXT_ID).await? else {
            match bucket.create(NEXT_ID, "2".into()).await {
                Ok(_) => return Ok(1),
                Err(error) if error.kind() == CreateErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error).context("the counter of sites could not be made"),
            }
        };
        let value = entry.value.unwrap_or_default();
        let id: u32 =
            std::str::from_utf8(&value).ok().and_then(|text| text.parse().ok()).context("the counter of sites is damaged")?;
        let next = id.checked_add(1).context("all site numbers are used up")?;
        match bucket.update(NEXT_ID, next.to_string().into(), entry.revision).await {
            Ok(_) => return Ok(id),
            Err(error) if error.kind() == UpdateErrorKind::WrongLastRevision => {}
            Err(error) => return Err(error).context("the counter of sites could not be moved"),
        }
    }
    bail!("too many sites are being added at once: try again")
}

fn site_key(domain: &str) -> String {
    format!("site.{domain}")
}

fn parse(key: &str, value: &[u8]) -> Result<Site> {
    serde_json::from_slice(value).with_context(|| format!("the record {key} is damaged"))
}

/// The domain in its one spelling, if it can name a site: letters, digits and hyphens between dots, perhaps with a path below it.
fn check_domain(domain: &str) -> Result<String> {
    let wrong = || format!("{domain:?} is not a domain like shop.example (without https://)");
    let name = normalise_domain(domain).with_context(wrong)?;
    let (host, path) = name.split_once('/').map_or((name.as_str(), None), |(host, path)| (host, Some(path)));
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    let is_path = |path: &str| {
        let fits = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/=.".contains(&byte));
        fits && !path.is_empty() && path.split(['/', '.']).all(|part| !part.is_empty())
    };
    if !host.split('.').all(is_label) || !path.is_none_or(is_path) {
        bail!(wrong());
    }
    Ok(name)
}

/// The time zone's name as the IANA data base spells it.
fn check_timezone(name: &str) -> Result<String> {
    match chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name)) {
        Some(zone) => Ok(zone.name().to_owned()),
        None => bail!("{name:?} is not a time zone of the IANA data base, like Europe/Berlin or UTC"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains() {
        for (input, expected) in [
            ("Shop.Example", "shop.example"),
            ("www.shop.example", "shop.example"),
            ("localhost", "localhost"),
            ("müller.example", "xn--mller-kva.example"),
            ("shop.example/blog", "shop.example/blog"),
        ] {
            assert_eq!(check_domain(input).unwrap(), expected);
        }
        for input in [
            "",
            "https://shop.example",
            "shop..example",
            ".example",
            "shop.example.",
            "a b",
            "shop.example/",
            "a>b",
            "*",
            "-a.example",
            "shop.example/..",
        ] {
            assert!(check_domain(input).is_err(), "{input}");
        }
    }

    #[test]
    fn time_zones() {
        assert_eq!(check_timezone("europe/berlin").unwrap(), "Europe/Berlin");
        assert_eq!(check_timezone("UTC").unwrap(), "UTC");
        assert!(check_timezone("Europe/Atlantis").unwrap_err().to_string().contains("Europe/Atlantis"));
    }
}
