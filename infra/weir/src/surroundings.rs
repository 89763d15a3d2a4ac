//! What a program of a cluster is told of its surroundings: by flags and variables, else by the files of a home.

use crate::home::{Home, RunFile};
use crate::nats_config::Role;
use crate::plaintext;
use crate::secrets::Secrets;
use crate::session::nats_config;
use anyhow::{Context as _, Result, bail};
use clap::{Args, Parser};
use std::path::{Path, PathBuf};
use weir_reader::NatsConfig;

/// Where NATS is and what part of the system this is. What is not given is taken from run.json and secrets.json in `WEIR_HOME`. The password
/// comes from the variable `WEIR_NATS_PASSWORD` or a file, never from an argument, which every user of the machine can read.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CommonOptions {
    /// Address of NATS, like `tls://host:4222`; several separated by commas. Without TLS only this machine is reached, unless `WEIR_ALLOW_PLAINTEXT=1`
    /// is set.
    #[arg(long, env = "WEIR_NATS_URL")]
    pub(crate) nats_url: Option<String>,
    /// File with the certificates (PEM) of the authority that alone is trusted for `tls://`; default: those of the system.
    #[arg(long, env = "WEIR_NATS_CA_FILE", value_name = "FILE")]
    pub(crate) nats_ca_file: Option<PathBuf>,
    /// NATS user; default: the name of the role.
    #[arg(long, env = "WEIR_NATS_USER")]
    pub(crate) nats_user: Option<String>,
    /// File that holds the NATS password; the variable `WEIR_NATS_PASSWORD`, which holds it itself, comes first.
    #[arg(long, env = "WEIR_NATS_PASSWORD_FILE", value_name = "FILE")]
    pub(crate) nats_password_file: Option<PathBuf>,
    /// Name of the region.
    #[arg(long, env = "WEIR_REGION")]
    pub(crate) region: Option<String>,
    /// Number of partitions of the region.
    #[arg(long, env = "WEIR_PARTITIONS")]
    pub(crate) partitions: Option<u32>,
}

/// The same options for a command that takes them from variables alone.
#[derive(Debug, Parser)]
struct FromVariables {
    #[command(flatten)]
    common: CommonOptions,
}

impl CommonOptions {
    /// What the variables say.
    pub(crate) fn from_variables() -> Result<Self> {
        Ok(FromVariables::try_parse_from(["weir"]).context("a variable WEIR_… cannot be understood")?.common)
    }

    /// The password, if one is given.
    pub(crate) fn password(&self) -> Result<Option<String>> {
        secret("WEIR_NATS_PASSWORD", self.nats_password_file.as_deref())
    }
}

/// What a program needs to know of its surroundings.
pub(crate) struct Surroundings {
    /// The work folder.
    pub(crate) home: Home,
    /// How to reach NATS.
    pub(crate) nats: NatsConfig,
    /// Name of the region.
    pub(crate) region: String,
    /// Number of partitions.
    pub(crate) partitions: u32,
    /// What runs on the home, if `weir up` does.
    pub(crate) run: Option<RunFile>,
}

/// Puts together what options and home say.
pub(crate) fn surroundings(options: &CommonOptions, role: Role) -> Result<Surroundings> {
    let home = Home::from_environment()?;
    home.create()?;
    let run = home.run_file()?;
    let url = options.nats_url.clone().or_else(|| run.as_ref().map(|run| run.nats_url.clone()));
    let Some(url) = url else {
        bail!("the address of NATS is not known: set WEIR_NATS_URL, or WEIR_HOME to the home of a running `weir up`");
    };
    plaintext::refuse_nats(&url)?;
    let mut nats = match options.password()? {
        Some(password) => {
            NatsConfig { url, user: role.user().to_owned(), password, inbox_prefix: role.inbox_prefix(), ca_file: None }
        }
        None => {
            nats_config(role, &url, &Secrets::load(&home).context("the NATS password is not known: set WEIR_NATS_PASSWORD_FILE")?)
        }
    };
    nats.ca_file.clone_from(&options.nats_ca_file);
    if let Some(user) = &options.nats_user {
        nats.user.clone_from(user);
    }
    let region =
        options.region.clone().or_else(|| run.as_ref().map(|run| run.region.clone())).unwrap_or_else(|| "local".to_owned());
    let partitions = options.partitions.or_else(|| run.as_ref().map(|run| run.partitions)).unwrap_or(2);
    if !(1..=256).contains(&partitions) {
        bail!("WEIR_PARTITIONS is {partitions}, it must be 1 to 256");
    }
    Ok(Surroundings { home, nats, region, partitions, run })
}

/// A secret: the variable's value, else the content of the file. An end of line does not belong to it.
pub(crate) fn secret(variable: &str, file: Option<&Path>) -> Result<Option<String>> {
    if let Some(value) = std::env::var(variable).ok().filter(|value| !value.is_empty()) {
        return Ok(Some(value));
    }
    let Some(file) = file else { return Ok(None) };
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read the secret in {}", file.display()))?;
    let text = text.trim_end();
    if text.is_empty() {
        bail!("the file {} holds no secret: it is empty", file.display());
    }
    Ok(Some(text.to_owned()))
}

/// A secret that two variables can name: its value, or (with `_FILE` behind) its file.
pub(crate) fn secret_of(variable: &str) -> Result<Option<String>> {
    let file = std::env::var_os(format!("{variable}_FILE")).filter(|file| !file.is_empty()).map(PathBuf::from);
    secret(variable, file.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_the_files_text_without_its_end_of_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("secret");
        std::fs::write(&file, "hidden\n").unwrap();
        assert_eq!(secret("WEIR_NO_SUCH_SECRET", Some(&file)).unwrap().as_deref(), Some("hidden"));
        assert_eq!(secret("WEIR_NO_SUCH_SECRET", None).unwrap(), None);
        std::fs::write(&file, "\n").unwrap();
        assert!(secret("WEIR_NO_SUCH_SECRET", Some(&file)).unwrap_err().to_string().contains("empty"));
        assert!(secret("WEIR_NO_SUCH_SECRET", Some(&folder.path().join("gone"))).is_err());
    }
}
