//! The description of the API in `OpenAPI` 3.1, put together from the handlers and the types they answer with.

mod request;

use super::{api, batch, operator, session, sites, status, v1};
use crate::error::ApiError;
use axum::Json;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;
use utoipa::OpenApi;

/// The handlers. What all of them share is added by [`complete`].
#[derive(OpenApi)]
#[openapi(
    info(title = "Weir query API", description = "Figures of web sites: Plausible's Stats API v2 and v1, sites, and the state of the system."),
    paths(
        api::query,
        batch::queries,
        api::current_visitors,
        api::ledger,
        api::sites,
        v1::aggregate,
        v1::timeseries,
        v1::breakdown,
        status::status,
        status::health,
        status::live,
        status::ready,
        status::metrics,
        document_route,
        query_schema,
    ),
    tags(
        (name = "stats", description = "Figures."),
        (name = "stats v1", description = "Figures in the words of the older API."),
        (name = "sites", description = "What is measured."),
        (name = "sessions", description = "Cookies of the dashboard."),
        (name = "operations", description = "How the system does."),
        (name = "operator", description = "What operators see and do in the dashboard."),
    )
)]
struct Handlers;

static DOCUMENT: LazyLock<Value> = LazyLock::new(document);

/// `GET /api/openapi.json`.
#[utoipa::path(
    get, path = "/api/openapi.json", operation_id = "openapi", tag = "operations", security(()),
    responses((status = 200, description = "This document.", body = Value))
)]
pub(super) async fn document_route() -> Json<&'static Value> {
    Json(&DOCUMENT)
}

/// `GET /api/v2/query/schema`: the JSON schema of a query's body.
#[utoipa::path(
    get, path = "/api/v2/query/schema", operation_id = "query_schema", tag = "stats", security(()),
    responses((status = 200, description = "A JSON schema, draft 2020-12.", body = Value))
)]
pub(super) async fn query_schema() -> Json<Value> {
    Json(request::schema())
}

/// The document of the handlers and of what they do not say one by one. Texts are the keys of all of its maps, so that it can always be written.
fn document() -> Value {
    let mut handlers = Handlers::openapi();
    handlers.merge(sites::Described::openapi());
    handlers.merge(session::Described::openapi());
    handlers.merge(operator::Described::openapi());
    serde_json::to_value(handlers).ok().and_then(complete).unwrap_or_default()
}

/// Adds the key, the faults, and the body of a query. `None` = not a document.
fn complete(mut document: Value) -> Option<Value> {
    let root = document.as_object_mut()?;
    root.insert("security".to_owned(), json!([{"key": []}]));
    let components = object(root, "components")?;
    let schemas = object(components, "schemas")?;
    schemas.extend(request::components());
    schemas.insert("Error".to_owned(), error_schema());
    let key = json!({"type": "http", "scheme": "bearer", "description": "A key from `weir key create`."});
    object(components, "securitySchemes")?.insert("key".to_owned(), key);
    let content = json!({"application/json": {"schema": {"$ref": "#/components/schemas/Query"}}});
    let query = document.pointer_mut("/paths/~1api~1v2~1query/post")?.as_object_mut()?;
    query.insert("requestBody".to_owned(), json!({"required": true, "content": content}));
    let batch = document.pointer_mut("/paths/~1api~1v2~1queries/post")?.as_object_mut()?;
    batch.insert(
        "requestBody".to_owned(),
        json!({"required": true, "content": {"application/json": {"schema": request::batch()}}}),
    );
    let operations = document.get_mut("paths")?.as_object_mut()?.values_mut().filter_map(Value::as_object_mut);
    for (method, operation) in operations.flat_map(Map::iter_mut) {
        let is_open = operation.get("security").is_some();
        let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { continue };
        for (status, meaning) in faults(method, is_open) {
            let fault = json!({"description": meaning, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}});
            responses.entry(status).or_insert(fault);
        }
    }
    Some(document)
}

/// The object under a key, made where there is none.
fn object<'a>(parent: &'a mut Map<String, Value>, key: &str) -> Option<&'a mut Map<String, Value>> {
    parent.entry(key).or_insert_with(|| json!({})).as_object_mut()
}

/// Statuses besides those of success.
fn faults(method: &str, is_open: bool) -> Vec<(&'static str, &'static str)> {
    let mut faults = Vec::new();
    if !is_open {
        faults.extend([
            ("400", "A fault of the request."),
            ("401", "No key, an unknown one, or one without access."),
            ("404", "Not there, or no longer."),
            ("429", "Too many requests."),
            ("503", "Not possible at the moment."),
        ]);
    }
    if matches!(method, "post" | "put" | "patch") {
        faults.push(("413", "The body is too large."));
    }
    faults
}

/// Every error: a text for people, a code for programs.
fn error_schema() -> Value {
    let codes: Vec<&str> = ApiError::codes().collect();
    json!({"type": "object", "required": ["error", "code"], "properties": {"error": {"type": "string"}, "code": {"type": "string", "enum": codes}}})
}
