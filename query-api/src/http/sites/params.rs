//! The parameters of a request, wherever they stand: address, JSON, form, multipart form. What stands in the body counts.

use crate::error::ApiError;
use crate::http::api::read_bytes;
use crate::query::Refusal;
use axum::body::Body;
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::{HeaderMap, header};
use serde_json::{Map, Value};

/// Parameters by name.
#[derive(Debug, Default)]
pub(super) struct Params(Map<String, Value>);

impl Params {
    /// Reads them all.
    pub(super) async fn read(headers: &HeaderMap, query: Option<&str>, body: Body) -> Result<Self, ApiError> {
        let mut params = Map::new();
        params.extend(pairs(query.unwrap_or_default().as_bytes()));
        let bytes = read_bytes(body).await?;
        if bytes.is_empty() {
            return Ok(Self(params));
        }
        let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let kind_name = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind_name.as_str() {
            "application/x-www-form-urlencoded" => params.extend(pairs(&bytes)),
            "multipart/form-data" => params.extend(parts(kind, bytes).await?),
            _ => match serde_json::from_slice(&bytes) {
                Ok(Value::Object(fields)) => params.extend(fields),
                _ => return Err(Refusal::NotJson.into()),
            },
        }
        Ok(Self(params))
    }

    /// A parameter as text; `None` = not given, null, or no text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A parameter as it was given; `None` = not given or null.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }
}

fn pairs(text: &[u8]) -> impl Iterator<Item = (String, Value)> {
    form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned())))
}

async fn parts(kind: &str, bytes: Vec<u8>) -> Result<Vec<(String, Value)>, ApiError> {
    let request = Request::builder().header(header::CONTENT_TYPE, kind).body(Body::from(bytes)).map_err(|_| ApiError::Body)?;
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| ApiError::Body)?;
    let mut fields = Vec::new();
    while let Some(field) = form.next_field().await.map_err(|_| ApiError::Body)? {
        let name = field.name().unwrap_or_default().to_owned();
        fields.push((name, Value::String(field.text().await.map_err(|_| ApiError::Body)?)));
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    async fn read(kind: &'static str, query: &str, body: &'static str) -> Result<Params, ApiError> {
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(kind))]);
        Params::read(&headers, Some(query), Body::from(body)).await
    }

    #[tokio::test]
    async fn every_form_says_the_same() {
        let multipart = "--x\r\nContent-Disposition: form-data; name=\"site_id\"\r\n\r\nb.example\r\n--x\r\n\
                         Content-Disposition: form-data; name=\"name\"\r\n\r\nWord Press\r\n--x--\r\n";
        for (kind, body) in [
            ("application/json; charset=utf-8", r#"{"site_id":"b.example","name":"Word Press","password":null}"#),
            ("application/x-www-form-urlencoded", "site_id=b.example&name=Word+Press"),
            ("multipart/form-data; boundary=x", multipart),
        ] {
            let params = read(kind, "site_id=a.example&limit=3", body).await.unwrap();
            assert_eq!(params.text("site_id").as_deref(), Some("b.example"), "{kind}: the body counts");
            assert_eq!((params.text("name").as_deref(), params.text("limit").as_deref()), (Some("Word Press"), Some("3")));
            assert!(params.value("password").is_none() && params.text("password").is_none());
        }
        for (kind, body) in [("application/json", "[]"), ("text/plain", "{"), ("multipart/form-data", multipart)] {
            assert!(read(kind, "", body).await.is_err(), "{kind} {body}");
        }
        assert!(read("application/json", "", "").await.unwrap().text("site_id").is_none());
    }
}
