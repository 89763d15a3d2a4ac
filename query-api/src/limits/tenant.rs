//! Who pays for a query: the account that owns the site, else the site alone; admins pay for themselves.

use crate::control::Grant;
use std::sync::Arc;
use weir_event::site::Site;

/// One of those among whom the service is shared out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Tenant {
    /// Work of the service itself.
    System,
    /// Whoever reads everything.
    Admin,
    /// All sites of an account.
    Account(Arc<str>),
    /// A site without an account.
    Site(u32),
}

impl Tenant {
    /// Who pays when a key asks about a site.
    pub fn of(grant: &Grant, site: &Site) -> Self {
        if grant.is_admin() { Self::Admin } else { Self::owner(site) }
    }

    /// The owner of a site.
    pub fn owner(site: &Site) -> Self {
        site.account.as_deref().map_or(Self::Site(site.id), |account| Self::Account(account.into()))
    }

    /// Its engine time is limited.
    pub(super) fn is_limited(&self) -> bool {
        matches!(self, Self::Account(_) | Self::Site(_))
    }
}
