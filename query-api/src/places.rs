//! Names of countries and their subdivisions by their codes: English, as ISO 3166 has them, countries by their usual short names.

use rust_iso3166::iso3166_2::SUBDIVISION_MAP;

/// Countries that nobody calls what the standard does.
const SHORT_NAMES: [(&str, &str); 28] = [
    ("BO", "Bolivia"),
    ("BQ", "Caribbean Netherlands"),
    ("BN", "Brunei"),
    ("CC", "Cocos Islands"),
    ("CD", "Democratic Republic of the Congo"),
    ("CG", "Republic of the Congo"),
    ("FK", "Falkland Islands"),
    ("FM", "Micronesia"),
    ("GB", "United Kingdom"),
    ("IR", "Iran"),
    ("KP", "North Korea"),
    ("KR", "South Korea"),
    ("LA", "Laos"),
    ("MD", "Moldova"),
    ("MF", "Saint Martin"),
    ("NL", "Netherlands"),
    ("PS", "Palestine"),
    ("RU", "Russia"),
    ("SX", "Sint Maarten"),
    ("SY", "Syria"),
    ("TW", "Taiwan"),
    ("TZ", "Tanzania"),
    ("US", "United States"),
    ("VA", "Vatican City"),
    ("VE", "Venezuela"),
    ("VG", "British Virgin Islands"),
    ("VI", "U.S. Virgin Islands"),
    ("VN", "Vietnam"),
];

/// Code and name of every country, each code once. Codes are two capital letters.
pub(crate) fn countries() -> impl Iterator<Item = (&'static str, &'static str)> {
    rust_iso3166::ALL.iter().map(|country| {
        let short = SHORT_NAMES.iter().find(|(code, _)| *code == country.alpha2);
        (country.alpha2, short.map_or(country.name, |(_, name)| name))
    })
}

/// Code and name of every subdivision, each code once. Codes are a country's, a hyphen and up to three letters or digits.
pub(crate) fn subdivisions() -> impl Iterator<Item = (&'static str, &'static str)> {
    SUBDIVISION_MAP.into_iter().map(|(_, subdivision)| (subdivision.code, subdivision.name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn codes_are_unique_and_have_names() {
        let (countries, regions): (Vec<_>, Vec<_>) = (countries().collect(), subdivisions().collect());
        let by_code: BTreeMap<_, _> = countries.iter().chain(&regions).copied().collect();
        assert_eq!(by_code.len(), countries.len() + regions.len());
        assert!(by_code.values().all(|name| !name.is_empty() && name.trim() == *name));
        assert!(countries.len() >= 249 && regions.len() >= 5_000, "{} {}", countries.len(), regions.len());
        for (code, name) in [
            ("DE", "Germany"),
            ("US", "United States"),
            ("KR", "South Korea"),
            ("DE-BE", "Berlin"),
            ("US-CA", "California"),
            ("EE-37", "Harjumaa"),
        ] {
            assert_eq!(by_code.get(code), Some(&name), "{code}");
        }
    }

    #[test]
    fn no_country_needs_brackets() {
        let bracketed: Vec<_> = countries().filter(|(_, name)| name.contains('(')).collect();
        assert!(bracketed.is_empty(), "{bracketed:?}");
        for (code, _) in SHORT_NAMES {
            assert!(countries().any(|(known, _)| known == code), "{code}");
        }
    }
}
