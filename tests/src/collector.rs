//! Sending events to the collector, as a browser behind a proxy would.
//!
//! The edge believes forwarding headers of loopback peers, so every visitor's address travels as `X-Forwarded-For`.

use crate::weir::{Weir, client};
use anyhow::{Result, ensure};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

/// An ordinary browser, where the test does not care which.
pub const USER_AGENT: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36";

/// Who sends: what the edge derives visitor and country from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// Client address.
    pub address: String,
    /// User agent.
    pub user_agent: String,
    /// Two-letter country code the proxy tells; empty = none.
    pub country: String,
}

impl Visitor {
    /// The `number`-th visitor of a test, with the ordinary browser.
    pub fn number(number: u32) -> Self {
        // Benchmark range of RFC 2544: no real client has such an address.
        let address = format!("198.{}.{}.{}", 18 + (number >> 16) % 2, (number >> 8) & 255, number & 255);
        Self { address, user_agent: USER_AGENT.to_owned(), country: String::new() }
    }

    /// Puts what identifies the visitor on a request.
    pub fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header("user-agent", &self.user_agent).header("x-forwarded-for", &self.address);
        if self.country.is_empty() { request } else { request.header("cf-ipcountry", &self.country) }
    }
}

/// A connection pool to one collector.
#[derive(Clone)]
pub struct Collector {
    client: Client,
    url: String,
}

impl Collector {
    /// The collector of a running system.
    pub fn of(weir: &Weir) -> Result<Self> {
        Ok(Self { client: client()?, url: weir.run()?.collector_url })
    }

    /// The collector at an address.
    pub fn at_url(url: &str) -> Result<Self> {
        Ok(Self { client: client()?, url: url.to_owned() })
    }

    /// Sends a body of any JSON value and returns the answer, whatever it says.
    pub async fn post(&self, visitor: &Visitor, body: &Value) -> Result<Response> {
        self.post_bytes(visitor, serde_json::to_vec(body)?).await
    }

    /// Sends bytes as the tracker does (`text/plain`).
    pub async fn post_bytes(&self, visitor: &Visitor, body: Vec<u8>) -> Result<Response> {
        let request = self.client.post(self.endpoint()).header("content-type", "text/plain").body(body);
        Ok(visitor.sign(request).send().await?)
    }

    /// Sends and insists on "202 ok, taken".
    pub async fn send(&self, visitor: &Visitor, body: &Value) -> Result<()> {
        let answer = self.post(visitor, body).await?;
        let status = answer.status();
        let dropped = answer.headers().get("x-plausible-dropped").cloned();
        let text = answer.text().await?;
        ensure!(status == 202 && dropped.is_none() && text == "ok", "{body}: {status} {text} (dropped: {dropped:?})");
        Ok(())
    }

    /// Address of the events endpoint.
    pub fn endpoint(&self) -> String {
        format!("{}/api/event", self.url)
    }

    /// The HTTP client, for requests of other shapes.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Address of the collector.
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// Body of a page view.
pub fn pageview(domain: &str, path: &str) -> Value {
    json!({"n": "pageview", "d": domain, "u": format!("https://{domain}{path}")})
}
