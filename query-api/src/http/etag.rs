//! Answers that the caller may have already: `ETag`, `If-None-Match`, 304.

use crate::answer::Encoded;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Up to when all events are counted: also with a 304, whose caller has figures that still hold and a watermark that does not.
pub(super) const WATERMARK: HeaderName = HeaderName::from_static("weir-watermark");

/// The answer, or 304 when the caller has its figures. The tag is weak: it stays the same while only the freshness in `meta` changes.
pub(super) fn respond(request: &HeaderMap, answer: Encoded) -> Response {
    let tag = format!("W/\"{}\"", answer.tag);
    let mut response = if is_known(request, &answer.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], answer.body).into_response()
    };
    let headers = [(header::ETAG, tag), (WATERMARK, answer.watermark)];
    // Both are ASCII.
    let headers = headers.into_iter().filter_map(|(name, value)| Some((name, HeaderValue::from_str(&value).ok()?)));
    response.headers_mut().extend(headers);
    // Kept by the caller alone, and asked about each time.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// The request names the tag among those it knows.
fn is_known(request: &HeaderMap, tag: &str) -> bool {
    let values = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|known| {
        let known = known.trim();
        known == "*" || known.trim_start_matches("W/").trim_matches('"') == tag
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_compared_weakly() {
        for (value, expected) in [
            ("\"abc\"", true),
            ("W/\"abc\"", true),
            ("\"x\", W/\"abc\"", true),
            ("*", true),
            ("\"ab\"", false),
            ("\"abcd\"", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static(value))]);
            assert_eq!(is_known(&headers, "abc"), expected, "{value}");
        }
        assert!(!is_known(&HeaderMap::new(), "abc"));
    }
}
