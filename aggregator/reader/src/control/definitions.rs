//! Storing what owners define. Bucket `WEIR_DEFINITIONS`, key `site.<number>`.

use super::{ChangeError, Stored, change};
use crate::definitions::Definitions;
use async_nats::jetstream::Context;
use weir_event::subject::DEFINITIONS_BUCKET;

/// Key of a site's definitions.
pub fn key(site_id: u32) -> String {
    format!("site.{site_id}")
}

/// The site of a key; `None` = it is in no site's one spelling.
pub fn site_of(text: &str) -> Option<u32> {
    text.strip_prefix("site.")?.parse().ok().filter(|site_id| key(*site_id) == text)
}

/// Changes the definitions of a site. `decide` may be asked several times: what it adds it must find again.
pub async fn update<R>(
    jetstream: &Context,
    site_id: u32,
    mut decide: impl FnMut(&mut Definitions) -> Result<(), R>,
) -> Result<Stored<Definitions>, ChangeError<R>> {
    change(jetstream, DEFINITIONS_BUCKET, &key(site_id), |current: Option<Definitions>| {
        let is_new = current.is_none();
        let mut definitions = current.unwrap_or_default();
        decide(&mut definitions)?;
        // Nothing is stored of a site that has nothing.
        Ok((!is_new || definitions != Definitions::default()).then_some(definitions))
    })
    .await
}

/// Forgets the definitions of a site.
pub async fn remove<R>(jetstream: &Context, site_id: u32) -> Result<Stored<Definitions>, ChangeError<R>> {
    change(jetstream, DEFINITIONS_BUCKET, &key(site_id), |_: Option<Definitions>| Ok(None)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_one_key() {
        for (text, expected) in
            [("site.7", Some(7)), ("site.0", Some(0)), ("site.07", None), ("site.+7", None), ("site.", None), ("7", None)]
        {
            assert_eq!(site_of(text), expected, "{text}");
        }
    }
}
