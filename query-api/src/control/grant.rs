//! What a caller may do: pure rules, asked in one place.

use weir_event::key::{KeyRecord, Scope};
use weir_event::site::Site;

/// What a caller is permitted: by an API key, by a session that a key opened, or by a shared link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Public name of the key, or of the link: `link.<site>.<number>`.
    pub id: String,
    /// The scopes that count. `admin` is among them only when it is bound to nothing.
    scopes: Vec<Scope>,
    /// The account whose sites it reaches.
    account: Option<String>,
    /// The sites that it names; none with an account = all of the account's.
    sites: Vec<u32>,
    /// The site whose figures a shared link shows.
    link: Option<u32>,
    /// When the key was made, Unix milliseconds.
    created_ms: u64,
}

/// What can be done with a site.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Right {
    /// Reading its figures, and the filters saved for all its readers.
    ReadFigures,
    /// Keeping filters of one's own for it.
    KeepSegments,
    /// Reading how it is set up.
    ReadSite,
    /// Changing how it is set up, its name, and removing it.
    ChangeSite,
}

impl Right {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::ReadFigures, Self::KeepSegments, Self::ReadSite, Self::ChangeSite];

    /// Its name in answers.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadFigures => "read_figures",
            Self::KeepSegments => "keep_segments",
            Self::ReadSite => "read_site",
            Self::ChangeSite => "change_site",
        }
    }

    fn scope(self) -> Scope {
        match self {
            Self::ReadFigures | Self::KeepSegments => Scope::StatsRead,
            Self::ReadSite => Scope::SitesRead,
            Self::ChangeSite => Scope::SitesProvision,
        }
    }
}

impl Grant {
    /// What a key permits.
    pub fn of_key(record: &KeyRecord) -> Self {
        let is_admin = record.is_admin();
        // An admin key that is bound to something was never made by us: it permits nothing.
        let scopes = record.scopes().into_iter().filter(|scope| is_admin || *scope != Scope::Admin).collect();
        let (id, account, sites) = (record.id.clone(), record.account.clone(), record.site_ids());
        Self { id, scopes, account, sites, link: None, created_ms: record.created_ms }
    }

    /// What a shared link permits.
    pub fn of_link(site_id: u32, link_id: u64) -> Self {
        Self {
            id: format!("link.{site_id}.{link_id}"),
            scopes: Vec::new(),
            account: None,
            sites: Vec::new(),
            link: Some(site_id),
            created_ms: 0,
        }
    }

    /// The same, and what a shared link permits.
    #[must_use]
    pub fn with_link(self, site_id: u32) -> Self {
        Self { link: Some(site_id), ..self }
    }

    /// Reads every site, and the state of the system.
    pub fn is_admin(&self) -> bool {
        self.scopes.contains(&Scope::Admin)
    }

    /// The scopes that it has, and those that they include.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(|wanted| self.has_scope(*wanted))
    }

    /// Whether it has a scope, or one that includes it.
    pub fn has_scope(&self, wanted: Scope) -> bool {
        self.scopes.iter().any(|scope| scope.includes(wanted))
    }

    /// The account whose sites it reaches.
    pub fn account(&self) -> Option<&str> {
        self.account.as_deref()
    }

    /// The sites that it names; none with an account = all of the account's.
    pub fn sites(&self) -> &[u32] {
        &self.sites
    }

    /// When the key was made, Unix milliseconds.
    pub fn created_ms(&self) -> u64 {
        self.created_ms
    }

    /// The scopes that its record names.
    pub fn own_scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// The site whose figures a shared link shows.
    pub fn site(&self) -> Option<u32> {
        self.link
    }

    /// Comes from a shared link alone: nobody is known to stand behind it.
    pub fn is_link(&self) -> bool {
        self.link.is_some() && self.scopes.is_empty()
    }

    /// Whether it permits this for some site at all.
    pub fn has(&self, right: Right) -> bool {
        self.has_scope(right.scope())
    }

    /// **The rule.** Whether it permits this for this site. Ask [`super::Directory`], which is the only one to ask here.
    pub(super) fn permits(&self, right: Right, site: &Site) -> bool {
        let by_link = right == Right::ReadFigures && self.link == Some(site.id);
        by_link || (self.has(right) && self.reaches(site))
    }

    /// It is for all of an account's sites, those to come too.
    pub(super) fn is_account_wide(&self) -> bool {
        self.account.is_some() && self.sites.is_empty()
    }

    pub(super) fn reaches(&self, site: &Site) -> bool {
        let is_named = self.sites.contains(&site.id);
        match &self.account {
            Some(account) => site.account.as_ref() == Some(account) && (self.sites.is_empty() || is_named),
            None => is_named || self.is_admin(),
        }
    }

    /// Whether it may add sites, for this account (`None` = the operator's own). A key for named sites may not: it would not reach the new one.
    pub(super) fn may_add_to(&self, account: Option<&str>) -> bool {
        self.may_add() && (self.is_admin() || self.account.as_deref() == account)
    }

    /// Whether it may add sites at all.
    pub(super) fn may_add(&self) -> bool {
        self.is_admin() || (self.has(Right::ChangeSite) && self.account.is_some() && self.sites.is_empty())
    }
}
