//! What a script's file name asks for.

use super::assemble::{EXTENSIONS, Extensions};

/// Letters and digits of a site's script id.
const SITE_ID_CHARS: usize = 22;

/// A script.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Name<'a> {
    /// `script.<extension>.<extension>.js`, in any order.
    Script(Extensions),
    /// `pa-<id>.js`.
    Site(&'a str),
    /// `vitals.js`.
    Vitals,
}

/// Reads a file name. `plausible.js` is the name that Plausible's oldest snippets have for `script.js`.
pub(super) fn parse(file: &str) -> Option<Name<'_>> {
    let stem = file.strip_suffix(".js")?;
    if stem == "vitals" {
        return Some(Name::Vitals);
    }
    if let Some(id) = stem.strip_prefix("pa-") {
        let is_id = id.len() == SITE_ID_CHARS && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return is_id.then_some(Name::Site(id));
    }
    let mut parts = stem.split('.');
    if !matches!(parts.next(), Some("script" | "plausible")) {
        return None;
    }
    let mut extensions = Extensions::default();
    for part in parts {
        extensions.add(EXTENSIONS.iter().position(|extension| *extension == part)?);
    }
    Some(Name::Script(extensions))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(names: &[&str]) -> Name<'static> {
        let mut extensions = Extensions::default();
        names.iter().for_each(|name| extensions.add(EXTENSIONS.iter().position(|extension| extension == name).unwrap()));
        Name::Script(extensions)
    }

    #[test]
    fn names() {
        let check = |file: &str, expected: Option<Name<'_>>| assert_eq!(parse(file), expected, "{file}");
        check("script.js", Some(script(&[])));
        check("plausible.js", Some(script(&[])));
        check("plausible.hash.outbound-links.js", Some(script(&["hash", "outbound-links"])));
        check("script.outbound-links.hash.js", Some(script(&["hash", "outbound-links"])));
        check("script.hash.hash.js", Some(script(&["hash"])));
        check("script.404.compat.revenue.js", Some(script(&["404", "compat", "revenue"])));
        check("vitals.js", Some(Name::Vitals));
        check("pa-0123456789abcdefghijKL.js", Some(Name::Site("0123456789abcdefghijKL")));
        for none in [
            "",
            "script",
            "script.mjs",
            "script..js",
            "script.nothing.js",
            "other.js",
            "pa-.js",
            "pa-0123456789abcdefghij-L.js",
            "h/x/script.js",
        ] {
            check(none, None);
        }
    }
}
