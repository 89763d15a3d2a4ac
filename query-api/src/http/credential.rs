//! Who asks: by API key, by a session that a key opened, by a shared link's session. Keys come in the header `Authorization`, sessions in cookies, those of
//! links in frames in that header too; none ever stands in an address.

use crate::control::Grant;
use crate::error::ApiError;
use crate::service::Service;
use axum::http::{HeaderMap, header};

/// Cookie of a session that a key opened.
pub(super) const SESSION_COOKIE: &str = "weir_session";
/// Cookie of a session that a shared link opened.
pub(super) const LINK_COOKIE: &str = "weir_share";

/// The grant of a request. A bearer token counts alone; else both sessions do, each for what it permits.
pub(super) async fn grant(service: &Service, headers: &HeaderMap) -> Result<Grant, ApiError> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let value = value.to_str().map_err(|_| ApiError::NoKey)?;
        let (scheme, token) = value.trim().split_once(' ').ok_or(ApiError::NoKey)?;
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(ApiError::NoKey);
        }
        let token = token.trim();
        // A page in another's frame has no cookies: it shows the token of its link instead.
        return match service.directory.grant_of_frame(token, service.clock.now_ms()).await {
            Some(grant) => Ok(grant),
            None => service.directory.grant(token).await,
        };
    }
    let (session, link) = (cookie(headers, SESSION_COOKIE), cookie(headers, LINK_COOKIE));
    if session.is_none() && link.is_none() {
        return Err(ApiError::NoKey);
    }
    // Cookies that a browser adds to what another page asks for count for nothing, whatever it thinks of SameSite.
    if !is_own_page(headers) {
        return Err(ApiError::WrongKey);
    }
    let now_ms = service.clock.now_ms();
    let of = async |token: Option<&str>| match token {
        Some(token) => service.directory.grant_of_session(token, now_ms).await.map(Some),
        None => Ok(None),
    };
    match (of(session).await, of(link).await) {
        (Ok(Some(grant)), Ok(Some(link))) => {
            Ok(link.site().map_or_else(|| grant.clone(), |site_id| grant.clone().with_link(site_id)))
        }
        (Ok(Some(grant)), _) | (_, Ok(Some(grant))) => Ok(grant),
        (Err(error), _) | (_, Err(error)) => Err(error),
        (Ok(None), Ok(None)) => Err(ApiError::NoKey),
    }
}

/// The value of a cookie.
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name)?.strip_prefix('='))
}

/// The request comes from a page of this server, or from no page.
fn is_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text("origin")) {
        (Some(from), _) => matches!(from, "same-origin" | "none"),
        (None, Some(origin)) => origin.split_once("://").map(|(_, host)| host) == text("host"),
        (None, None) => true,
    }
}

/// Whether the browser speaks TLS: whoever ends it before us says so, of several the first one. Who makes it up changes nothing but his own cookies and links.
pub(super) fn is_over_tls(headers: &HeaderMap) -> bool {
    let schemes = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok()).unwrap_or_default();
    schemes.split(',').next().is_some_and(|scheme| scheme.trim().eq_ignore_ascii_case("https"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn cookies() {
        let found = headers(&[("cookie", "a=1; weir_session=abc.def ;weir_sessions=x")]);
        assert_eq!(cookie(&found, SESSION_COOKIE), Some("abc.def"));
        assert_eq!(cookie(&found, LINK_COOKIE), None);
    }

    #[test]
    fn tls() {
        for (scheme, expected) in
            [("https", true), ("HTTPS", true), (" https , http", true), ("http, https", false), ("http", false), ("", false)]
        {
            assert_eq!(is_over_tls(&headers(&[("x-forwarded-proto", scheme)])), expected, "{scheme}");
        }
        assert!(!is_over_tls(&headers(&[])));
    }

    #[test]
    fn pages() {
        for (pairs, expected) in [
            (vec![], true),
            (vec![("sec-fetch-site", "same-origin")], true),
            (vec![("sec-fetch-site", "none")], true),
            (vec![("sec-fetch-site", "same-site")], false),
            (vec![("sec-fetch-site", "cross-site"), ("origin", "https://a.example"), ("host", "a.example")], false),
            (vec![("origin", "https://a.example"), ("host", "a.example")], true),
            (vec![("origin", "https://b.example"), ("host", "a.example")], false),
            (vec![("origin", "null"), ("host", "a.example")], false),
        ] {
            assert_eq!(is_own_page(&headers(&pairs)), expected, "{pairs:?}");
        }
    }
}
