//! Puts scripts together from the pieces that the build made (`tracker/build/pieces.mjs` says the same in JavaScript, for its tests).

include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tracker/dist/pieces.rs"));

/// A set of [`EXTENSIONS`], by their numbers.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Extensions(u32);

impl Extensions {
    /// Adds the extension of this number.
    pub(super) fn add(&mut self, number: usize) {
        self.0 |= 1 << number;
    }

    fn has(self, name: &str) -> bool {
        EXTENSIONS.iter().position(|extension| *extension == name).is_some_and(|number| self.0 & (1 << number) != 0)
    }
}

/// The script with these extensions.
pub(super) fn script(extensions: Extensions) -> String {
    let has = |name: &str| extensions.has(name);
    let piece = |name: &str, piece: &'static str| if has(name) { piece } else { "" };
    let automatic: usize = AUTOMATIC_BITS.iter().enumerate().map(|(bit, name)| usize::from(has(name)) << bit).sum();
    [
        FRAME_START,
        if has("hash") { "H=1," } else { "H," },
        if has("local") { "L=1," } else { "L," },
        if has("manual") { "A," } else { "A=1," },
        if has("compat") { ELEMENT_COMPAT } else { ELEMENT },
        ";",
        piece("exclusions", EXCLUSIONS),
        piece("pageview-props", PAGEVIEW_PROPS),
        CORE,
        AUTOMATIC.get(automatic).copied().unwrap_or_default(),
        piece("404", NOT_FOUND),
        piece("web-vitals", WEB_VITALS),
        FRAME_END,
    ]
    .concat()
}

/// The web vitals.
pub(super) fn vitals() -> &'static str {
    VITALS
}

/// The per-site script; `known` is JSON.
pub(super) fn site(known: &str) -> String {
    // JSON is JavaScript; the escape keeps it one where a page has the script's text inside itself.
    ["{let W=", &known.replace('<', r"\u003c"), ";", SITE, "}"].concat()
}

#[cfg(test)]
mod tests {
    use super::super::integrity::Integrity;
    use super::super::name::{Name, parse};
    use super::*;

    #[test]
    fn the_same_as_the_build_put_together() {
        for (file, expected) in EXPECTED {
            let Some(Name::Script(extensions)) = parse(file) else { panic!("{file} is no script") };
            assert_eq!(Integrity::of(&script(extensions)).value(), expected, "{file}");
        }
    }
}
