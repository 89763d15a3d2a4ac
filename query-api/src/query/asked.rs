//! Several questions in one request, not yet read themselves.

use super::{QUERIES_MAX, Refusal};
use serde_json::Value;

/// What one request asks for: at least one thing, of each kind at most [`QUERIES_MAX`].
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Requests as `POST /api/v2/query` takes them; each is an object.
    pub queries: Vec<Value>,
    /// Domains of sites whose current visitors are asked for, none empty.
    pub current_visitors: Option<Vec<String>>,
}

impl Asked {
    /// Reads the body of the request.
    ///
    /// # Errors
    /// [`Refusal::Queries`] when it asks for nothing, for too much, or in another form.
    pub fn read(body: &Value) -> Result<Self, Refusal> {
        let list = |name: &str, is_wanted: fn(&Value) -> bool| match body.get(name) {
            None => Ok(None),
            Some(Value::Array(items)) if items.len() <= QUERIES_MAX && items.iter().all(is_wanted) => Ok(Some(items.clone())),
            Some(_) => Err(Refusal::Queries),
        };
        let queries = list("queries", Value::is_object)?.unwrap_or_default();
        let names = list("current_visitors", |name| name.as_str().is_some_and(|name| !name.is_empty()))?;
        let current_visitors: Option<Vec<String>> =
            names.map(|names| names.iter().filter_map(Value::as_str).map(str::to_owned).collect());
        if queries.is_empty() && current_visitors.as_ref().is_none_or(Vec::is_empty) {
            return Err(Refusal::Queries);
        }
        Ok(Self { queries, current_visitors })
    }
}
