//! Serves the tracker, which is built into the worker.

use std::hash::{DefaultHasher, Hash, Hasher};

use worker::{Request, Response, ResponseBuilder, Result};

/// The script that web sites load.
const SCRIPT: &str = include_str!("../tracker/dist/script.js");
/// The same, but it also sends from localhost.
const SCRIPT_LOCAL: &str = include_str!("../tracker/dist/script.local.js");
/// How long browsers use their copy, seconds.
const CACHE_CONTROL: &str = "public, max-age=3600, stale-while-revalidate=86400";

/// Answers with the script, or with 304 to whoever has it.
pub(crate) fn serve(request: &Request, path: &str) -> Result<Response> {
    let script = if path.ends_with(".local.js") { SCRIPT_LOCAL } else { SCRIPT };
    let tag = entity_tag(script);
    let builder = ResponseBuilder::new()
        .with_header("access-control-allow-origin", "*")?
        .with_header("cross-origin-resource-policy", "cross-origin")?
        .with_header("x-content-type-options", "nosniff")?
        .with_header("cache-control", CACHE_CONTROL)?
        .with_header("etag", &tag)?;
    if request.headers().get("if-none-match")?.is_some_and(|header| matches(&header, &tag)) {
        return Ok(builder.with_status(304).empty());
    }
    Ok(builder.with_header("content-type", "text/javascript; charset=utf-8")?.fixed(script.as_bytes().to_vec()))
}

/// Names the content.
fn entity_tag(content: &str) -> String {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}

/// Whether an `If-None-Match` header names the content.
fn matches(header: &str, tag: &str) -> bool {
    header.split(',').map(str::trim).any(|item| item == "*" || item.strip_prefix("W/").unwrap_or(item) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags() {
        let tag = entity_tag("a");
        assert_eq!((tag.len(), tag == entity_tag("a"), tag == entity_tag("b")), (18, true, false));
        assert!(matches(&format!("\"x\", W/{tag}"), &tag) && matches("*", &tag));
        assert!(!matches("\"x\"", &tag) && !matches("", &tag));
    }
}
