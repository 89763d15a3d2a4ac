//! What `weir key` can be told.

use crate::keys::Wanted;
use clap::{Args, Subcommand};
use weir_event::key::Scope;

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key. It is printed this once, as {"key":"…"}; the query API knows it at once, the edge within 5 s.
    Create(CreateOptions),
    /// List the keys by id.
    List,
    /// Make a key invalid.
    Revoke {
        /// Its id, or the key itself.
        key: String,
    },
}

/// What `key create` can be told.
#[derive(Clone, Debug, Args)]
pub(crate) struct CreateOptions {
    /// Domains of its sites; none, with --account: all sites of the account, those to come too.
    domains: Vec<String>,
    /// The same as naming a domain.
    #[arg(long = "site", value_name = "DOMAIN")]
    sites: Vec<String>,
    /// Id of the account whose sites it is for.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// What the key may do: stats:read (figures), sites:read (which sites there are, and how they are set up), sites:provision (changing that, reading
    /// included), events:write (sending events from a server), admin (everything, everywhere). May be given several times.
    #[arg(long = "scope", value_name = "SCOPE", default_value = "stats:read", value_parser = scope)]
    scopes: Vec<Scope>,
}

impl CreateOptions {
    /// What the key is to permit.
    pub(crate) fn wanted(self) -> Wanted {
        let domains = self.domains.into_iter().chain(self.sites).collect();
        Wanted { domains, account: self.account, scopes: self.scopes }
    }
}

fn scope(name: &str) -> Result<Scope, String> {
    Scope::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Scope::ALL.into_iter().map(Scope::name).collect();
        format!("the scopes are {}", names.join(", "))
    })
}
