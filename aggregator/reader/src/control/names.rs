//! What may be the domain and the time zone of a site.

use thiserror::Error;
use weir_event::domain::normalise_domain;

/// Why a name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum NameError {
    /// It is no domain.
    #[error("{0:?} is not a domain like shop.example (without https://)")]
    Domain(String),
    /// It is no time zone.
    #[error("{0:?} is not a time zone of the IANA data base, like Europe/Berlin or UTC")]
    Timezone(String),
}

/// The domain in its one spelling, if it can name a site: letters, digits and hyphens between dots, perhaps with a path below it.
pub fn domain(domain: &str) -> Result<String, NameError> {
    let wrong = || NameError::Domain(domain.to_owned());
    let name = normalise_domain(domain).ok_or_else(wrong)?;
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
    if host.split('.').all(is_label) && path.is_none_or(is_path) { Ok(name) } else { Err(wrong()) }
}

/// The time zone's name as the IANA data base spells it.
pub fn timezone(name: &str) -> Result<String, NameError> {
    let found = chrono_tz::TZ_VARIANTS.iter().find(|zone| zone.name().eq_ignore_ascii_case(name));
    found.map(|zone| zone.name().to_owned()).ok_or_else(|| NameError::Timezone(name.to_owned()))
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
            assert_eq!(domain(input).unwrap(), expected);
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
            assert!(domain(input).is_err(), "{input}");
        }
    }

    #[test]
    fn time_zones() {
        assert_eq!(timezone("europe/berlin").unwrap(), "Europe/Berlin");
        assert_eq!(timezone("UTC").unwrap(), "UTC");
        assert!(timezone("Europe/Atlantis").unwrap_err().to_string().contains("Europe/Atlantis"));
    }
}
