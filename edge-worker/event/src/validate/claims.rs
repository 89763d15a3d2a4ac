//! What a trusted sender says of its client: when, from which address, with which program.

use std::net::IpAddr;

use chrono::DateTime;
use serde_json::{Map, Value};

use super::fields::{clean, first};
use super::{AGE_MS_MAX, EventErrors};
use crate::identity::normalise_address;

/// How far ahead of the receiver's clock a sender's may be, milliseconds; what lies ahead counts as now.
pub const TIMESTAMP_AHEAD_MS_MAX: u64 = 60_000;

/// The claims of a server-side sender. Never stored: the edge makes an event of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Claims {
    /// When it happened, Unix milliseconds.
    pub event_ms: Option<u64>,
    /// The client's address.
    pub address: Option<IpAddr>,
    /// The client's user agent.
    pub user_agent: Option<String>,
}

// Without the address.
impl std::fmt::Debug for Claims {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Claims").field("event_ms", &self.event_ms).finish_non_exhaustive()
    }
}

impl Claims {
    pub(super) fn read(json: &Map<String, Value>, now_ms: u64, errors: &mut EventErrors) -> Self {
        let mut claims = Self::default();
        match first(json, &["timestamp"]).map(|value| timestamp(value, now_ms)) {
            None => {}
            Some(Ok(event_ms)) => claims.event_ms = Some(event_ms),
            Some(Err(message)) => errors.add("timestamp", message),
        }
        match first(json, &["ip"]).map(|value| value.as_str().and_then(normalise_address)) {
            None => {}
            Some(Some(address)) => claims.address = Some(address),
            Some(None) => errors.add("ip", "must be an IPv4 or IPv6 address"),
        }
        match first(json, &["user_agent"]) {
            None => {}
            Some(Value::String(text)) => claims.user_agent = Some(clean(text)),
            Some(_) => errors.add("user_agent", "must be a string"),
        }
        claims
    }
}

fn timestamp(value: &Value, now_ms: u64) -> Result<u64, &'static str> {
    let parsed = value.as_str().and_then(|text| DateTime::parse_from_rfc3339(text.trim()).ok());
    let event_ms = parsed.and_then(|time| u64::try_from(time.timestamp_millis()).ok());
    let event_ms = event_ms.ok_or("must be a time such as 2026-01-31T12:00:00Z")?;
    if event_ms > now_ms.saturating_add(TIMESTAMP_AHEAD_MS_MAX) {
        return Err("must not lie in the future");
    }
    if event_ms < now_ms.saturating_sub(AGE_MS_MAX) {
        return Err("must lie within the last 24 hours");
    }
    Ok(event_ms.min(now_ms))
}

#[cfg(test)]
mod tests {
    use super::super::{Body, Sender, parse_body};
    use super::*;
    use serde_json::json;

    const NOW: u64 = 1_795_000_000_000; // 2026-11-18T11:06:40Z

    fn claims(fields: &Value, sender: Sender) -> Result<Claims, Value> {
        let mut body = json!({"n": "x", "u": "https://a.example"});
        for (key, value) in fields.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        match parse_body(body.to_string().as_bytes(), sender) {
            Ok(Body::One(outcome)) => outcome.map(|draft| draft.claims).map_err(|errors| errors.json()["errors"].clone()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_trusted_sender_speaks_for_its_client() {
        let trusted = Sender::Trusted { now_ms: NOW };
        let full = json!({"timestamp": "2026-11-18T12:06:39+01:00", "ip": "[2001:DB8::1]", "user_agent": "App/1"});
        let expected = Claims {
            event_ms: Some(NOW - 1_000),
            address: Some("2001:db8::1".parse().unwrap()),
            user_agent: Some("App/1".into()),
        };
        assert_eq!(claims(&full, trusted), Ok(expected));
        assert_eq!(claims(&full, Sender::Anyone), Ok(Claims::default()), "nobody else does");
        assert_eq!(claims(&json!({}), trusted), Ok(Claims::default()));
    }

    #[test]
    fn wrong_claims_are_named() {
        let check = |fields: Value, expected: Value| assert_eq!(claims(&fields, Sender::Trusted { now_ms: NOW }), Err(expected));
        check(json!({"timestamp": "today"}), json!({"timestamp": ["must be a time such as 2026-01-31T12:00:00Z"]}));
        check(json!({"timestamp": 7}), json!({"timestamp": ["must be a time such as 2026-01-31T12:00:00Z"]}));
        check(json!({"timestamp": "2026-11-18T11:07:41Z"}), json!({"timestamp": ["must not lie in the future"]}));
        check(json!({"timestamp": "2026-11-17T11:06:39Z"}), json!({"timestamp": ["must lie within the last 24 hours"]}));
        check(json!({"ip": "home"}), json!({"ip": ["must be an IPv4 or IPv6 address"]}));
        check(json!({"user_agent": 7}), json!({"user_agent": ["must be a string"]}));
        let ahead = claims(&json!({"timestamp": "2026-11-18T11:07:30Z"}), Sender::Trusted { now_ms: NOW }).unwrap();
        assert_eq!(ahead.event_ms, Some(NOW), "a clock a little ahead counts as now");
    }
}
