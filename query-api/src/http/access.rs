//! The access log and the counts of requests: who by the key's public name, where by the route's template. No addresses, no query strings, no bodies, no sites.

use crate::service::Service;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Instant;

/// What stands for the template where no route matched.
const NO_ROUTE: &str = "none";

tokio::task_local! {
    static KEY_ID: RefCell<Option<String>>;
}

/// Tells whose request this is, once it is known.
pub(super) fn note_key(id: &str) {
    // Outside of a request there is nobody to tell.
    let _noted = KEY_ID.try_with(|key_id| *key_id.borrow_mut() = Some(id.to_owned()));
}

/// Answers the request, counts it, and writes one line.
pub(super) async fn log(State(service): State<Arc<Service>>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or_else(|| NO_ROUTE.into(), |path| Arc::<str>::from(path.as_str()));
    let (response, key_id) = KEY_ID
        .scope(RefCell::default(), async {
            let response = next.run(request).await;
            (response, KEY_ID.with(RefCell::take))
        })
        .await;
    let (status, elapsed) = (response.status().as_u16(), began.elapsed());
    service.telemetry.answered(status);
    service.telemetry.routes.answered(&route, status, elapsed);
    let key_id = key_id.as_deref().unwrap_or("-");
    let duration_ms = elapsed.as_secs_f64() * 1_000.0;
    tracing::info!(target: "weir::access", %method, route = &*route, status, duration_ms, key.id = key_id, "request");
    response
}
