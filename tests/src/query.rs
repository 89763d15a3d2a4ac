//! Asking the query API, as a merchant's program would.

use crate::poll::{Look, soft, until};
use crate::weir::{Weir, client};
use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// How soon an acknowledged event must be in the answers.
pub const VISIBLE_WITHIN: Duration = Duration::from_secs(2);

/// One row: dimension values, then metrics.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Values of the dimensions, in the order asked for.
    pub dimensions: Vec<String>,
    /// Metrics, in the order asked for.
    pub metrics: Vec<f64>,
}

/// Reads one site's figures with one key.
#[derive(Clone)]
pub struct Stats {
    client: Client,
    url: String,
    key: String,
    site: String,
    revision: Option<String>,
}

impl Stats {
    /// Reads `site` with `key`.
    pub fn new(weir: &Weir, site: &str, key: &str) -> Result<Self> {
        Ok(Self { client: client()?, url: weir.run()?.query_url, key: key.to_owned(), site: site.to_owned(), revision: None })
    }

    /// Reads `site` with `key` from the query node at an address.
    pub fn at_url(url: &str, site: &str, key: &str) -> Result<Self> {
        Ok(Self { client: client()?, url: url.to_owned(), key: key.to_owned(), site: site.to_owned(), revision: None })
    }

    /// Reads `site` with the admin key.
    pub fn admin(weir: &Weir, site: &str) -> Result<Self> {
        let key = weir.run()?.admin_key;
        Self::new(weir, site, &key)
    }

    /// The same, asking for a revision, or `shadow`.
    #[must_use]
    pub fn at(mut self, revision: &str) -> Self {
        self.revision = Some(revision.to_owned());
        self
    }

    /// Puts site and a wide date range into a request that names none.
    fn complete(&self, request: &Value) -> Value {
        let mut full = json!({"site_id": self.site, "date_range": "day"});
        if let (Some(full), Some(given)) = (full.as_object_mut(), request.as_object()) {
            full.extend(given.clone());
        }
        full
    }

    /// Sends a request and returns status and body, whatever they are.
    pub async fn ask(&self, request: &Value) -> Result<(u16, Value)> {
        let answer = self
            .client
            .post(format!("{}/api/v2/query", self.url))
            .query(&self.revision.iter().map(|revision| ("rev", revision)).collect::<Vec<_>>())
            .bearer_auth(&self.key)
            .json(&self.complete(request))
            .send()
            .await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, serde_json::from_str(&text).with_context(|| format!("{status} {text}"))?))
    }

    /// The whole answer; anything but 200 is an error.
    pub async fn answer(&self, request: &Value) -> Result<Value> {
        let (status, body) = self.ask(request).await?;
        ensure!(status == 200, "{request}: {status} {body}");
        Ok(body)
    }

    /// The rows of an answer.
    pub async fn rows(&self, request: &Value) -> Result<Vec<Row>> {
        rows_of(&self.answer(request).await?)
    }

    /// Rows as a map from the only dimension to its metrics.
    pub async fn by(&self, dimension: &str, metrics: &[&str], more: Value) -> Result<BTreeMap<String, Vec<f64>>> {
        let mut request = json!({"metrics": metrics, "dimensions": [dimension]});
        merge(&mut request, more);
        let rows = self.rows(&request).await?;
        Ok(rows.into_iter().map(|row| (row.dimensions.join("|"), row.metrics)).collect())
    }

    /// The only row of an aggregate.
    pub async fn total(&self, metrics: &[&str], more: Value) -> Result<Vec<f64>> {
        let mut request = json!({"metrics": metrics});
        merge(&mut request, more);
        let rows = self.rows(&request).await?;
        ensure!(rows.len() == 1, "an aggregate has one row: {rows:?}");
        rows.into_iter().next().map(|row| row.metrics).context("no row")
    }

    /// Waits until an aggregate has these metrics.
    pub async fn await_total(&self, within: Duration, metrics: &[&str], more: Value, expected: &[f64]) -> Result<()> {
        until(&format!("{metrics:?} = {expected:?}"), within, async || {
            Ok(soft(
                async {
                    let found = self.total(metrics, more.clone()).await?;
                    Ok(if found == expected { Look::Done(()) } else { Look::NotYet(format!("found {found:?}")) })
                }
                .await,
            ))
        })
        .await
    }

    /// All values of a dimension with one metric, page by page.
    pub async fn pages_of(&self, dimension: &str, metric: &str, more: Value, page: usize) -> Result<BTreeMap<String, f64>> {
        let mut all = BTreeMap::new();
        for offset in (0..).step_by(page) {
            let mut request = json!({
                "metrics": [metric], "dimensions": [dimension], "order_by": [[dimension, "asc"]],
                "pagination": {"limit": page, "offset": offset},
            });
            merge(&mut request, more.clone());
            let rows = self.rows(&request).await?;
            let last = rows.len() < page;
            for row in rows {
                let (name, value) = (row.dimensions.join("|"), row.metrics.first().copied().unwrap_or_default());
                ensure!(all.insert(name.clone(), value).is_none(), "{name} is on two pages");
            }
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// The HTTP client, for requests of other shapes.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Address of the query API.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The key it reads with.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The rows of an answer of the query API.
pub fn rows_of(answer: &Value) -> Result<Vec<Row>> {
    let results = answer["results"].as_array().with_context(|| format!("no results in {answer}"))?;
    Ok(results
        .iter()
        .map(|row| Row {
            dimensions: row["dimensions"].as_array().into_iter().flatten().map(text_of).collect(),
            metrics: row["metrics"].as_array().into_iter().flatten().map(|value| value.as_f64().unwrap_or(f64::NAN)).collect(),
        })
        .collect())
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Adds the members of one object to another.
pub fn merge(into: &mut Value, more: Value) {
    if let (Some(into), Value::Object(more)) = (into.as_object_mut(), more) {
        into.extend(more);
    }
}
