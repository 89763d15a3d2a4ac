//! `/api/v1/sites/goals`: what visitors of a site are meant to do.

use super::call::Call;
use super::page::Wanted;
use super::params::Params;
use super::refusal::SitesRefusal;
use crate::control::Right;
use crate::error::ApiError;
use crate::service::Service;
use axum::Json;
use axum::body::Body;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use weir_reader::definitions::{Definitions, Goal, GoalKind};

/// Most goals of a site.
const GOALS_MAX: usize = 1_000;
/// Longest name of an event and of a goal, characters.
const NAME_CHARS_MAX: usize = 120;
/// Longest path, bytes.
const PATH_BYTES_MAX: usize = 2_000;
/// Most properties that a goal may ask for, and their limits in characters.
const PROPS_MAX: usize = 3;
const PROP_NAME_CHARS_MAX: usize = 300;
const PROP_VALUE_CHARS_MAX: usize = 2_000;
const CREATE: &str = "create a goal";
const DELETE: &str = "delete a goal";

/// `GET /api/v1/sites/goals`: newest first.
#[utoipa::path(
    get, path = "/api/v1/sites/goals", operation_id = "list_goals", tag = "sites",
    params(("site_id" = String, Query, description = "Domain of the site."), ("limit" = Option<u64>, Query, nullable = false, minimum = 1), ("after" = Option<String>, Query, nullable = false), ("before" = Option<String>, Query, nullable = false)),
    responses((status = 200, description = "Goals of the site, newest first.", body = Object))
)]
pub(super) async fn index(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ReadSite, query.as_deref(), body).await?;
    let wanted = Wanted::read(&call.params)?;
    let site = call.site(Right::ReadSite, &call.require("site_id", "list goals")?).await?;
    let goals = call.service.directory.definitions(site.id).goals.clone();
    let (goals, meta) = wanted.page(goals, |goal| goal.id);
    Ok(Json(json!({"goals": goals.iter().map(shown).collect::<Vec<_>>(), "meta": meta})))
}

/// `PUT /api/v1/sites/goals`: the goal that is reached by this, added if there is none.
#[utoipa::path(
    put, path = "/api/v1/sites/goals", operation_id = "find_or_create_goal", tag = "sites",
    request_body = Object,
    responses((status = 200, description = "The goal.", body = Object))
)]
pub(super) async fn find_or_create(
    State(service): State<Arc<Service>>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let (site_id, goal_type) = (call.require("site_id", CREATE)?, call.require("goal_type", CREATE)?);
    let site = call.site(Right::ChangeSite, &site_id).await?;
    let wanted = read(&call.params, &goal_type)?;
    let changed = call.service.directory.define(&site, |definitions| find_or_add(definitions, &wanted).map(drop)).await??;
    let goal = changed.goals.iter().find(|goal| is_same(goal, &wanted)).ok_or(ApiError::Unavailable)?;
    let mut fields = shown(goal);
    fields.insert("domain".to_owned(), json!(site.domain));
    Ok(Json(Value::Object(fields)))
}

/// `DELETE /api/v1/sites/goals/{goal_id}`.
#[utoipa::path(
    delete, path = "/api/v1/sites/goals/{goal_id}", operation_id = "delete_goal", tag = "sites",
    params(("goal_id" = String, Path), ("site_id" = String, Query, description = "Domain of the site.")),
    responses((status = 200, description = "It is deleted.", body = Object))
)]
pub(super) async fn remove(
    State(service): State<Arc<Service>>,
    Path(goal_id): Path<String>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
    body: Body,
) -> Result<Json<Value>, ApiError> {
    let call = Call::read(service, &headers, Right::ChangeSite, query.as_deref(), body).await?;
    let site = call.site(Right::ChangeSite, &call.require("site_id", DELETE)?).await?;
    let goal_id: u64 = goal_id.parse().map_err(|_| SitesRefusal::Goal)?;
    let mut was_there = false;
    let changed = call.service.directory.define(&site, |definitions| {
        was_there |= definitions.goals.iter().any(|goal| goal.id == goal_id);
        definitions.goals.retain(|goal| goal.id != goal_id);
        if was_there { Ok(()) } else { Err(SitesRefusal::Goal) }
    });
    changed.await??;
    Ok(Json(json!({"deleted": true})))
}

/// The goal that is wanted; its number is given later.
fn read(params: &Params, goal_type: &str) -> Result<Goal, SitesRefusal> {
    let require = |parameter: &'static str| params.text(parameter).ok_or(SitesRefusal::Missing { parameter, purpose: CREATE });
    let kind = match goal_type {
        "event" => GoalKind::Event { event_name: name("event_name", &require("event_name")?)? },
        "page" | "scroll" => {
            let page_path = path(&require("page_path")?)?;
            match params.text("scroll_threshold").filter(|threshold| threshold != "-1") {
                Some(threshold) => GoalKind::Scroll { page_path, scroll_threshold: percent(&threshold)? },
                None if goal_type == "scroll" => {
                    return Err(SitesRefusal::Missing { parameter: "scroll_threshold", purpose: CREATE });
                }
                None => GoalKind::Page { page_path },
            }
        }
        _ => return Err(invalid("goal_type: must be `event` or `page`")),
    };
    let display_name = match (params.text("display_name").filter(|given| !given.trim().is_empty()), &kind) {
        (Some(given), _) => name("display_name", &given)?,
        (None, GoalKind::Event { event_name }) => event_name.clone(),
        (None, GoalKind::Page { page_path }) => format!("Visit {page_path}"),
        (None, GoalKind::Scroll { page_path, scroll_threshold }) => format!("Scroll below {scroll_threshold}% on {page_path}"),
    };
    let currency = match (params.text("currency").filter(|code| !code.is_empty()), &kind) {
        (Some(code), GoalKind::Event { .. }) => Some(currency(&code)?),
        _ => None,
    };
    Ok(Goal { id: 0, display_name, kind, custom_props: custom_props(params)?, currency })
}

/// The goal that is there already, or the new one.
fn find_or_add<'a>(definitions: &'a mut Definitions, wanted: &Goal) -> Result<&'a Goal, SitesRefusal> {
    if let Some(index) = definitions.goals.iter().position(|goal| is_same(goal, wanted)) {
        let there = definitions.goals.get(index).ok_or_else(|| invalid("goal: is gone"))?;
        let is_other_currency = wanted.currency.is_some() && wanted.currency != there.currency;
        if let (true, GoalKind::Event { event_name }) = (is_other_currency, &there.kind) {
            let currency = there.currency.as_deref().unwrap_or("none");
            return Err(invalid(&format!("event_name: '{event_name}' (with currency: {currency}) has already been taken")));
        }
        return Ok(there);
    }
    if definitions.goals.len() >= GOALS_MAX {
        return Err(invalid("Maximum number of goals reached"));
    }
    if definitions.goals.iter().any(|goal| goal.display_name == wanted.display_name) {
        return Err(invalid("display_name: has already been taken"));
    }
    definitions.last_id += 1;
    definitions.goals.push(Goal { id: definitions.last_id, ..wanted.clone() });
    definitions.goals.last().ok_or_else(|| invalid("goal: is gone"))
}

/// Both are reached by the same.
fn is_same(one: &Goal, other: &Goal) -> bool {
    one.kind == other.kind && one.custom_props == other.custom_props
}

fn shown(goal: &Goal) -> Map<String, Value> {
    let (goal_type, event_name, page_path, threshold) = match &goal.kind {
        GoalKind::Event { event_name } => ("event", Some(event_name), None, None),
        GoalKind::Page { page_path } => ("page", None, Some(page_path), None),
        GoalKind::Scroll { page_path, scroll_threshold } => ("scroll", None, Some(page_path), Some(*scroll_threshold)),
    };
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    put("id", json!(goal.id));
    put("display_name", json!(goal.display_name));
    put("goal_type", json!(goal_type));
    put("event_name", json!(event_name));
    put("page_path", json!(page_path));
    if let Some(threshold) = threshold {
        put("scroll_threshold", json!(threshold));
    }
    if let Some(currency) = &goal.currency {
        put("currency", json!(currency));
    }
    if !goal.custom_props.is_empty() {
        put("custom_props", json!(goal.custom_props));
    }
    fields
}

fn invalid(text: &str) -> SitesRefusal {
    SitesRefusal::Invalid(text.to_owned())
}

fn name(field: &str, text: &str) -> Result<String, SitesRefusal> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(invalid(&format!("{field}: this field is required and cannot be blank"))),
        count if count > NAME_CHARS_MAX => Err(invalid(&format!("{field}: should be at most {NAME_CHARS_MAX} character(s)"))),
        _ => Ok(text.to_owned()),
    }
}

fn path(text: &str) -> Result<String, SitesRefusal> {
    let text = text.trim();
    if text.is_empty() || text.len() > PATH_BYTES_MAX {
        return Err(invalid("page_path: this field is required and must start with a /"));
    }
    Ok(if text.starts_with('/') { text.to_owned() } else { format!("/{text}") })
}

fn percent(text: &str) -> Result<u8, SitesRefusal> {
    let percent = text.parse().ok().filter(|percent| (1..=100).contains(percent));
    percent.ok_or_else(|| invalid("scroll_threshold: must be between 1 and 100"))
}

fn currency(code: &str) -> Result<String, SitesRefusal> {
    let code = code.to_ascii_uppercase();
    if code.len() == 3 && code.bytes().all(|letter| letter.is_ascii_uppercase()) {
        Ok(code)
    } else {
        Err(invalid("currency: is invalid"))
    }
}

fn custom_props(params: &Params) -> Result<BTreeMap<String, String>, SitesRefusal> {
    let wrong = || invalid("custom_props: must be at most 3 names, each with a text");
    let Some(given) = params.value("custom_props") else { return Ok(BTreeMap::new()) };
    let fields = given.as_object().filter(|fields| fields.len() <= PROPS_MAX).ok_or_else(wrong)?;
    let prop = |(name, value): (&String, &Value)| {
        let value = value.as_str().filter(|value| (1..=PROP_VALUE_CHARS_MAX).contains(&value.chars().count()))?;
        (1..=PROP_NAME_CHARS_MAX).contains(&name.chars().count()).then(|| (name.clone(), value.to_owned()))
    };
    fields.iter().map(prop).collect::<Option<_>>().ok_or_else(wrong)
}
