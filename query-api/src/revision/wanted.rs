//! What a caller writes to name a revision.

use crate::query::Refusal;

/// How a caller asks for the shadow.
const SHADOW: &str = "shadow";

/// Which revision of a partition a caller wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Revision {
    /// The newest, with the live end.
    #[default]
    Newest,
    /// The one of this number.
    Number(u64),
    /// The shadow of the replay in progress.
    Shadow,
}

impl Revision {
    /// Reads what a caller wrote; nothing = the newest.
    pub fn parse(text: Option<&str>) -> Result<Self, Refusal> {
        match text {
            None => Ok(Self::Newest),
            Some(SHADOW) => Ok(Self::Shadow),
            // There are no revisions past the largest number either.
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Self::Number(text.parse().unwrap_or(u64::MAX)))
            }
            Some(_) => Err(Refusal::Revision),
        }
    }

    /// It is the shadow.
    pub fn is_shadow(self) -> bool {
        self == Self::Shadow
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_a_number_or_the_shadow() {
        for (text, expected) in [
            (None, Some(Revision::Newest)),
            (Some("0"), Some(Revision::Number(0))),
            (Some("007"), Some(Revision::Number(7))),
            (Some("99999999999999999999"), Some(Revision::Number(u64::MAX))),
            (Some("shadow"), Some(Revision::Shadow)),
            (Some("Shadow"), None),
            (Some(""), None),
            (Some("abc"), None),
            (Some("-1"), None),
            (Some("+1"), None),
            (Some("1.0"), None),
            (Some(" 1"), None),
            (Some("²"), None),
        ] {
            assert_eq!(Revision::parse(text).ok(), expected, "{text:?}");
        }
    }
}
