//! The dashboard's files, embedded in the program.

use crate::error::ApiError;
use axum::extract::{Path, RawQuery};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rust_embed::{EmbeddedFile, RustEmbed};

/// Scripts, styles and images come from this server only; nothing is inline, nothing is framed.
const SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
                               manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The same for a shared page that others show in a frame: it has no cookies there, and nothing to be tricked into.
const FRAMED_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; \
                             manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors *";
/// Shown where the dashboard was not built.
const NOT_BUILT: &str = "The dashboard is not part of this program: query-api/dashboard/dist was empty when it was compiled. `make build` builds both. \
                         The API works: POST /api/v2/query\n";
/// Files here carry a hash of their content in their names.
const HASHED: &str = "assets/";

#[derive(RustEmbed)]
#[folder = "dashboard/dist"]
struct Files;

/// `GET /` and the other addresses of pages: the page itself looks at its address.
pub(super) async fn index(headers: HeaderMap) -> Response {
    let Some(file) = Files::get("index.html") else {
        let policy = [(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(SECURITY_POLICY))];
        return (StatusCode::SERVICE_UNAVAILABLE, policy, NOT_BUILT).into_response();
    };
    serve("index.html", file, &headers)
}

/// `GET /share/{domain}`: with `embed=true` others may show it in a frame.
pub(super) async fn shared(RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let mut response = index(headers).await;
    let query = query.unwrap_or_default();
    let is_framed = form_urlencoded::parse(query.as_bytes()).any(|(name, value)| name == "embed" && value == "true");
    if is_framed {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(FRAMED_POLICY));
    }
    response
}

/// Any other file of the dashboard.
pub(super) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match Files::get(&path) {
        Some(file) => serve(&path, file, &headers),
        None => ApiError::NotFound.into_response(),
    }
}

fn serve(path: &str, file: EmbeddedFile, headers: &HeaderMap) -> Response {
    let tag = tag(&file.metadata.sha256_hash());
    let caching = if path.starts_with(HASHED) { "public, max-age=31536000, immutable" } else { "no-cache" };
    let constant = HeaderValue::from_static;
    let fixed: [(HeaderName, HeaderValue); 2] =
        [(header::CACHE_CONTROL, constant(caching)), (header::CONTENT_SECURITY_POLICY, constant(SECURITY_POLICY))];
    let known = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    // Compression on the way marks the tag as weak.
    let is_known = known.is_some_and(|known| known.split(',').any(|one| one.trim().trim_start_matches("W/") == tag));
    let mut response = if is_known {
        (StatusCode::NOT_MODIFIED, fixed).into_response()
    } else {
        let kind = constant(content_type(path));
        (fixed, [(header::CONTENT_TYPE, kind)], file.data.into_owned()).into_response()
    };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// Half of the file's SHA-256.
fn tag(hash: &[u8; 32]) -> String {
    let (half, _) = hash.split_at(16);
    half.try_into().map_or_else(|_| String::new(), |half| format!("\"{:032x}\"", u128::from_be_bytes(half)))
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}
