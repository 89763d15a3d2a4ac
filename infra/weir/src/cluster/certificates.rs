//! The cluster's own certificate authority, and a certificate for each server.

use anyhow::{Context as _, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use time::{Duration, OffsetDateTime};

/// How long the authority holds.
const AUTHORITY_DAYS: i64 = 3_650;
/// How long a server's certificate holds: remove its two files and run `weir cluster init` again for a new one.
const SERVER_DAYS: i64 = 825;
/// Clocks may be behind by this much.
const BEFORE_DAYS: i64 = 1;

/// A certificate and its key, both PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Makes an authority for a region.
pub(crate) fn authority(region: &str, now: OffsetDateTime) -> Result<Pair> {
    let key = KeyPair::generate().context("cannot make a key")?;
    let certificate = authority_params(region, now).self_signed(&key).context("cannot make the authority's certificate")?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

/// Makes a certificate for the server that is reached at `host`, also for use on its own machine.
pub(crate) fn server(region: &str, name: &str, host: &str, authority_key: &str, now: OffsetDateTime) -> Result<Pair> {
    let authority_key = KeyPair::from_pem(authority_key).context("the authority's key tls/ca.key cannot be read")?;
    // The issuer's name and key are all that goes into what it signs.
    let issuer = Issuer::new(authority_params(region, now), authority_key);
    let mut params = params(&format!("weir-{region}-{name}"), now, SERVER_DAYS);
    params.subject_alt_names = alternative_names(host)?;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    // Servers are each other's clients.
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate().context("cannot make a key")?;
    let certificate = params.signed_by(&key, &issuer).with_context(|| format!("cannot make the certificate of {name}"))?;
    Ok(Pair { certificate: certificate.pem(), key: key.serialize_pem() })
}

fn authority_params(region: &str, now: OffsetDateTime) -> CertificateParams {
    let mut params = params(&format!("weir-{region} authority"), now, AUTHORITY_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn params(name: &str, now: OffsetDateTime, days: i64) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = now - Duration::days(BEFORE_DAYS);
    params.not_after = now + Duration::days(days);
    params
}

fn alternative_names(host: &str) -> Result<Vec<SanType>> {
    let name = |name: &str| anyhow::Ok(SanType::DnsName(name.try_into().with_context(|| format!("{name} is no host name"))?));
    let mut names = vec![name("localhost")?];
    let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
    match host.parse::<IpAddr>() {
        Ok(address) if !local.contains(&address) => names.push(SanType::IpAddress(address)),
        Err(_) if host != "localhost" => names.push(name(host)?),
        _ => {}
    }
    names.extend(local.map(SanType::IpAddress));
    Ok(names)
}
