//! The connection to NATS.

use crate::error::ReaderError;
use crate::lonely;
use async_nats::jetstream::{Context, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where NATS is and who asks.
#[derive(Clone)]
pub struct NatsConfig {
    /// Address, `nats://host:port` or `tls://host:port`; several separated by commas. With `tls` the first byte is that of a handshake: the server
    /// needs `handshake_first`.
    pub url: String,
    /// User name of the role; empty = none.
    pub user: String,
    /// Password of the role.
    pub password: String,
    /// Prefix of answer subjects, by which the role's permissions tell its answers, as `_INBOX_query`; empty = the client's default.
    pub inbox_prefix: String,
    /// Certificates (PEM) of the authority that alone is trusted for `tls`; without it, those that the system trusts.
    pub ca_file: Option<PathBuf>,
}

impl std::fmt::Debug for NatsConfig {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("NatsConfig").field("url", &self.url).field("user", &self.user).finish_non_exhaustive()
    }
}

/// How long a request to JetStream may take.
pub const REQUEST_TIMEOUT_MS: u64 = 5_000;
/// Messages that may wait for a subscription: more than all pulls together ask for.
const SUBSCRIPTION_MESSAGES_MAX: usize = 16_384;

/// Connects once; later losses of the connection are repaired for ever, with pauses of at most 2 s.
pub async fn connect(config: &NatsConfig) -> Result<Client, ReaderError> {
    let mut options = ConnectOptions::new()
        .ping_interval(Duration::from_secs(5))
        .connection_timeout(Duration::from_secs(5))
        .request_timeout(Some(Duration::from_millis(REQUEST_TIMEOUT_MS)))
        .subscription_capacity(SUBSCRIPTION_MESSAGES_MAX)
        .reconnect_delay_callback(|attempts| Duration::from_millis((50 * attempts as u64).min(2_000)))
        .event_callback(|event| async move { log_event(&event) });
    if !config.user.is_empty() {
        options = options.user_and_password(config.user.clone(), config.password.clone());
    }
    if !config.inbox_prefix.is_empty() {
        options = options.custom_inbox_prefix(&config.inbox_prefix);
    }
    let failed = |cause: crate::error::Cause| ReaderError::Connect { url: config.url.clone(), cause };
    let servers = config
        .url
        .split(',')
        .map(|url| url.trim().parse::<async_nats::ServerAddr>())
        .collect::<Result<Vec<_>, _>>()
        .map_err(|cause| failed(cause.into()))?;
    if config.url.split(',').any(|url| url.trim().starts_with("tls://")) {
        options = options.require_tls(true).tls_first();
        if let Some(file) = &config.ca_file {
            options = options.tls_client_config(trusting(file).map_err(failed)?);
        }
    }
    let several = servers.len() > 1;
    // Only what the configuration names is connected to: what servers say of each other may be reached only from where they stand.
    let client = options.ignore_discovered_servers().connect(servers).await.map_err(|cause| failed(cause.into()))?;
    if several {
        tokio::spawn(lonely::leave_lonely_server(client.clone()));
    }
    Ok(client)
}

/// TLS that trusts the authority in a file and nobody else.
fn trusting(file: &Path) -> Result<rustls::ClientConfig, crate::error::Cause> {
    let named = |cause: &dyn std::fmt::Display| format!("the certificates in {} cannot be used: {cause}", file.display());
    let mut roots = rustls::RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|cause| named(&cause))? {
        roots.add(certificate.map_err(|cause| named(&cause))?).map_err(|cause| named(&cause))?;
    }
    if roots.is_empty() {
        return Err(named(&"there is none").into());
    }
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let versions = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

/// JetStream over a connection, with this crate's limits.
pub fn jetstream(client: Client) -> Context {
    ContextBuilder::new()
        .timeout(Duration::from_millis(REQUEST_TIMEOUT_MS))
        .ack_timeout(Duration::from_millis(REQUEST_TIMEOUT_MS))
        .max_ack_inflight(64)
        .build(client)
}

fn log_event(event: &Event) {
    match event {
        Event::Connected => tracing::info!("connected to NATS"),
        Event::Disconnected => tracing::warn!("connection to NATS lost"),
        Event::ServerError(error) => tracing::warn!(%error, "NATS server refused"),
        Event::ClientError(error) => tracing::warn!(%error, "NATS client failed"),
        Event::SlowConsumer(id) => tracing::warn!(subscription = *id, "NATS client dropped messages"),
        other => tracing::info!(event = %other, "NATS connection"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_that_cannot_be_read_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        for text in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
            if let Some(text) = text {
                std::fs::write(&file, text).unwrap();
            }
            let error = trusting(&file).unwrap_err().to_string();
            assert!(error.contains("ca.pem cannot be used"), "{error}");
        }
    }
}
