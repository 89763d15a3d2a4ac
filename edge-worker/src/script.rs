//! Serves the scripts that web sites load.
//!
//! `/js/script.js` and its like are entry addresses, which browsers ask for again after an hour. Their answers name the content: `x-integrity` is
//! the value for `integrity="…"`, `content-location` an address under which these bytes never change (`/js/h/<hash>/…`). A page that is told
//! another hash than the current content has gets a redirect to the entry address: pages without `integrity` go on counting after an upgrade,
//! pages with it refuse the new bytes, as they asked for.

mod assemble;
mod integrity;
mod name;

use weir_event::site::ScriptSettings;
use worker::{Env, Request, Response, ResponseBuilder, Result};

use crate::directory::cache;
use crate::respond;
use integrity::Integrity;
use name::Name;

/// How long browsers use a script before they ask again, seconds.
const ENTRY_CACHE: &str = "public, max-age=3600, stale-while-revalidate=86400";
/// For an address that names its content.
const IMMUTABLE_CACHE: &str = "public, max-age=31536000, immutable";

/// Answers with a script, or with 304 to whoever has it.
pub(crate) async fn serve(request: &Request, path: &str, env: &Env) -> Result<Response> {
    let file = path.strip_prefix("/js/").unwrap_or_default();
    let (hash, file) = match file.strip_prefix("h/").and_then(|rest| rest.split_once('/')) {
        Some((hash, file)) => (Some(hash), file),
        None => (None, file),
    };
    let content = match name::parse(file) {
        None => return respond::not_found(),
        Some(Name::Vitals) => assemble::vitals().to_owned(),
        Some(Name::Script(extensions)) => assemble::script(extensions),
        Some(Name::Site(id)) => match cache::current(env).await {
            None => return respond::unavailable("the list of sites is not loaded yet"),
            Some(snapshot) => match snapshot.script(id) {
                None => return respond::not_found(),
                Some((domain, settings)) => site_script(domain, settings),
            },
        },
    };
    let integrity = Integrity::of(&content);
    if hash.is_some_and(|hash| hash != integrity.hash()) {
        let builder = shared(ResponseBuilder::new())?.with_header("cache-control", "no-store")?;
        return Ok(builder.with_status(302).with_header("location", &format!("/js/{file}"))?.empty());
    }
    let tag = integrity.entity_tag();
    let mut builder = shared(ResponseBuilder::new())?
        .with_header("cache-control", if hash.is_some() { IMMUTABLE_CACHE } else { ENTRY_CACHE })?
        .with_header("content-location", &format!("/js/h/{}/{file}", integrity.hash()))?
        .with_header("x-integrity", integrity.value())?
        .with_header("vary", "accept-encoding")?
        .with_header("etag", &tag)?;
    let headers = request.headers();
    if headers.get("if-none-match")?.is_some_and(|header| matches(&header, &tag)) {
        return Ok(builder.with_status(304).empty());
    }
    if headers.get("accept-encoding")?.is_some_and(|header| header.contains("gzip")) {
        // The runtime compresses what says that it is.
        builder = builder.with_header("content-encoding", "gzip")?;
    }
    Ok(builder.with_header("content-type", "text/javascript; charset=utf-8")?.fixed(content.into_bytes()))
}

/// Headers of every answer: any page may use the scripts, also one that isolates itself.
fn shared(builder: ResponseBuilder) -> Result<ResponseBuilder> {
    builder
        .with_header("access-control-allow-origin", "*")?
        .with_header("cross-origin-resource-policy", "cross-origin")?
        .with_header("x-content-type-options", "nosniff")
}

/// The per-site script with what is set for the site.
fn site_script(domain: &str, settings: ScriptSettings) -> String {
    let known = serde_json::json!({
        "domain": domain,
        "outboundLinks": settings.outbound_links,
        "fileDownloads": settings.file_downloads,
        "formSubmissions": settings.form_submissions,
        "hashBasedRouting": settings.hash_routing,
        "webVitals": settings.web_vitals,
        "respectGpc": settings.respect_gpc,
    });
    assemble::site(&known.to_string())
}

/// Whether an `If-None-Match` header names the content. Tags are compared without their weakness.
fn matches(header: &str, tag: &str) -> bool {
    let strong = |tag| str::strip_prefix(tag, "W/").unwrap_or(tag).to_owned();
    header.split(',').map(str::trim).any(|item| item == "*" || strong(item) == strong(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let tag = Integrity::of("a").entity_tag();
        assert_ne!(tag, Integrity::of("b").entity_tag());
        assert!(matches(&format!("\"x\", {tag}"), &tag) && matches("*", &tag));
        assert!(matches(tag.trim_start_matches("W/"), &tag), "a cache may make the tag strong");
        assert!(!matches("\"x\"", &tag) && !matches("", &tag));
    }

    #[test]
    fn what_is_set_for_a_site_cannot_leave_the_script() {
        let script = site_script("</script><!--\"`${1}", ScriptSettings::default());
        assert!(!script.contains("</script>") && !script.contains("<!--"), "{script}");
        assert!(script.contains(r#"{"domain":"\u003c/script>\u003c!--\"`${1}","outboundLinks":true,"#), "{script}");
    }
}
