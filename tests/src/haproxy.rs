//! Debian's `HAProxy` with the configuration of `infra/haproxy` before the edges of a running system; the tests never skip.

use crate::debian;
use crate::poll::{Look, soft, until};
use crate::weir::{client, repository};
use anyhow::{Context as _, Result, bail};
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// `HAPROXY`, else one on PATH, else Debian's package when root.
pub fn find() -> Result<PathBuf> {
    debian::program("HAPROXY", "haproxy", "haproxy")
}

/// A running `HAProxy`, ended on drop.
pub struct Haproxy {
    child: Child,
    url: String,
}

impl Haproxy {
    /// Starts one before these collectors and waits until it serves.
    pub async fn start(collectors: &[String]) -> Result<Self> {
        let program = tokio::task::spawn_blocking(find).await??;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = Command::new(program);
        command
            .arg("-f")
            .arg(repository().join("infra/haproxy/haproxy.cfg"))
            .env_clear()
            .env("WEIR_BIND", &address)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        for index in 0..8 {
            // Nobody listens on port 1: an edge that does not run.
            let url = collectors.get(index).map_or("127.0.0.1:1", |url| url.trim_start_matches("http://"));
            command.env(format!("WEIR_EDGE_{index}"), url);
        }
        let mut haproxy = Self { child: command.spawn().context("cannot start haproxy")?, url: format!("http://{address}") };
        let client = client()?;
        until("HAProxy serving", Duration::from_secs(10), async || {
            if let Some(status) = haproxy.child.try_wait()? {
                bail!("haproxy ended with {status}: it says why when it is started by hand");
            }
            let answer = client.get(format!("{}/health", haproxy.url)).send().await;
            Ok(soft(answer.map_err(Into::into).map(|answer| match answer.status().as_u16() {
                200 => Look::Done(()),
                other => Look::NotYet(format!("/health answers {other}")),
            })))
        })
        .await?;
        Ok(haproxy)
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// A client of its own address, below 127.0.0.0/8: what `HAProxy` sees of the connection.
pub fn client_at(number: u8) -> Result<reqwest::Client> {
    let address = Ipv4Addr::new(127, 0, 1, number);
    Ok(reqwest::Client::builder().timeout(Duration::from_secs(20)).no_proxy().local_address(Some(address.into())).build()?)
}

/// A port that is free now, below those that outgoing connections take.
pub fn free_port() -> Result<u16> {
    let start = 10_000 + (std::process::id() % 4_000) as u16;
    (start..15_000)
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .context("no port is free between 10000 and 15000")
}
