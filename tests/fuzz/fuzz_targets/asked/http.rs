//! The questions of v1, as the address of a request says them, and the queries of v2 that answer them.

#[path = "../../../../query-api/src/http/v1/filters.rs"]
mod filters;
#[path = "../../../../query-api/src/http/v1/metrics.rs"]
mod metrics;
#[path = "../../../../query-api/src/http/v1/period.rs"]
mod period;
#[path = "../../../../query-api/src/http/v1/refusal.rs"]
mod refusal;
#[path = "../../../../query-api/src/http/v1/request.rs"]
mod request;

use chrono::NaiveDate;
use serde_json::Value;

/// The bodies of v2 that the parameters of an address stand for, each refusal left out.
pub(crate) fn bodies(address: &str, today: NaiveDate) -> Vec<Value> {
    let Ok(common) = serde_urlencoded::from_str::<request::Common>(address) else { return Vec::new() };
    let compare = serde_urlencoded::from_str(address).unwrap_or_default();
    let interval = serde_urlencoded::from_str(address).unwrap_or_default();
    let breakdown = serde_urlencoded::from_str(address).unwrap_or_default();
    let asked = [
        request::aggregate(&common, &compare, today),
        request::timeseries(&common, &interval, today),
        request::breakdown(&common, &breakdown, today),
    ];
    let mut bodies = Vec::new();
    for asked in asked {
        match asked {
            Ok(asked) => bodies.extend([Some(asked.body), asked.previous].into_iter().flatten()),
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
        }
    }
    bodies
}
