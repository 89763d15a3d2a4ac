//! An API key as the control plane knows it: what it permits, and where.

use serde::{Deserialize, Serialize};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Reading figures, and what is defined for a site.
    StatsRead,
    /// Reading which sites there are and what is defined for them.
    SitesRead,
    /// Adding, changing and removing sites and what is defined for them. Who may share a site's figures by a link may read them.
    SitesProvision,
    /// Sending events from a server, with their time and the client's address and user agent.
    EventsWrite,
    /// Everything, everywhere.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 5] = [Self::StatsRead, Self::SitesRead, Self::SitesProvision, Self::EventsWrite, Self::Admin];

    /// Its name in records and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::StatsRead => "stats:read",
            Self::SitesRead => "sites:read",
            Self::SitesProvision => "sites:provision",
            Self::EventsWrite => "events:write",
            Self::Admin => "admin",
        }
    }

    /// The scope of a name, also as Plausible spells it (`stats:read:*`). `None` for those of later versions, which permit nothing here.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.strip_suffix(":*").unwrap_or(name);
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }

    /// Whether who has this scope may do what `other` permits.
    pub fn includes(self, other: Self) -> bool {
        match self {
            Self::Admin => true,
            Self::SitesProvision => matches!(other, Self::SitesProvision | Self::SitesRead | Self::StatsRead),
            Self::StatsRead => matches!(other, Self::StatsRead | Self::SitesRead),
            Self::SitesRead | Self::EventsWrite => self == other,
        }
    }
}

/// Record of one key. Unknown fields are ignored. A key of one site and one scope is written as the first version did, so that programs of that
/// version understand it; what they do not understand permits nothing to them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRecord {
    /// Public name of the key, by which it is listed and revoked.
    pub id: String,
    /// Its only site; 0 = see `sites` and `account`.
    #[serde(default)]
    pub site_id: u32,
    /// Domain that its only site had when the key was made.
    #[serde(default)]
    pub domain: String,
    /// Its only scope; empty = see `scopes`.
    #[serde(default)]
    pub scope: String,
    /// Its scopes, when there are several or when it is not for one site alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Its sites, when there are several; none with an account = all of the account's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sites: Vec<u32>,
    /// The account whose sites it is for, those to come too unless `sites` names some.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// When it was made, Unix milliseconds.
    pub created_ms: u64,
}

impl KeyRecord {
    /// A record in the form that fits what it permits.
    pub fn new(id: String, scopes: &[Scope], sites: &[(u32, &str)], account: Option<String>, created_ms: u64) -> Self {
        let empty = Self { id, account, created_ms, ..Self::default() };
        match (scopes, sites, &empty.account) {
            // Number 0 is no site; in this form it would stand for all of them.
            ([scope], [(site_id, domain)], None) if *site_id > 0 => {
                Self { site_id: *site_id, domain: (*domain).to_owned(), scope: scope.name().to_owned(), ..empty }
            }
            ([Scope::Admin], [], None) => Self { scope: Scope::Admin.name().to_owned(), ..empty },
            _ => Self {
                scopes: scopes.iter().map(|scope| scope.name().to_owned()).collect(),
                sites: sites.iter().map(|(site_id, _)| *site_id).collect(),
                ..empty
            },
        }
    }

    /// The scopes that this program knows.
    pub fn scopes(&self) -> Vec<Scope> {
        if self.scopes.is_empty() {
            Scope::parse(&self.scope).into_iter().collect()
        } else {
            self.scopes.iter().filter_map(|name| Scope::parse(name)).collect()
        }
    }

    /// The sites that it names.
    pub fn site_ids(&self) -> Vec<u32> {
        if self.sites.is_empty() && self.site_id > 0 { vec![self.site_id] } else { self.sites.clone() }
    }

    /// It is the operator's, for everything: of scope `admin`, and bound to no site or account.
    pub fn is_admin(&self) -> bool {
        self.scopes().contains(&Scope::Admin) && self.site_ids().is_empty() && self.account.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_yesterday_are_read_and_written() {
        let old = r#"{"id":"k","site_id":7,"domain":"shop.example","scope":"events:write","created_ms":1}"#;
        let record: KeyRecord = serde_json::from_str(old).unwrap();
        assert_eq!((record.scopes(), record.site_ids(), record.is_admin()), (vec![Scope::EventsWrite], vec![7], false));
        let new = KeyRecord::new("k".into(), &[Scope::EventsWrite], &[(7, "shop.example")], None, 1);
        assert_eq!(serde_json::to_string(&new).unwrap(), old);
        let admin = r#"{"id":"admin","site_id":0,"domain":"","scope":"admin","created_ms":1}"#;
        let record: KeyRecord = serde_json::from_str(admin).unwrap();
        assert!(record.is_admin());
        assert_eq!(serde_json::to_string(&KeyRecord::new("admin".into(), &[Scope::Admin], &[], None, 1)).unwrap(), admin);
    }

    #[test]
    fn what_the_first_version_does_not_know_permits_it_nothing() {
        let two = KeyRecord::new("k".into(), &[Scope::StatsRead, Scope::SitesRead], &[(1, "a"), (2, "b")], Some("acc".into()), 1);
        let json = serde_json::to_value(&two).unwrap();
        assert_eq!((&json["site_id"], &json["scope"]), (&0.into(), &"".into()));
        assert_eq!(serde_json::from_value::<KeyRecord>(json).unwrap(), two);
        assert_eq!((two.scopes(), two.site_ids()), (vec![Scope::StatsRead, Scope::SitesRead], vec![1, 2]));
        let bound = KeyRecord::new("k".into(), &[Scope::Admin], &[], Some("acc".into()), 1);
        assert!(!bound.is_admin());
        let nowhere = KeyRecord::new("k".into(), &[Scope::Admin], &[(0, "")], None, 1);
        assert!(nowhere.site_ids() == [0] && !nowhere.is_admin(), "number 0 is no site, and not all of them");
        let later: KeyRecord =
            serde_json::from_str(r#"{"id":"k","scopes":["stats:read:*","teleport"],"sites":[3],"created_ms":1,"x":1}"#).unwrap();
        assert_eq!((later.scopes(), later.site_ids()), (vec![Scope::StatsRead], vec![3]));
    }

    #[test]
    fn what_scopes_include() {
        let included =
            |scope: Scope| Scope::ALL.into_iter().filter(|other| scope.includes(*other)).map(Scope::name).collect::<Vec<_>>();
        assert_eq!(included(Scope::StatsRead), ["stats:read", "sites:read"]);
        assert_eq!(included(Scope::SitesRead), ["sites:read"]);
        assert_eq!(included(Scope::SitesProvision), ["stats:read", "sites:read", "sites:provision"]);
        assert_eq!(included(Scope::EventsWrite), ["events:write"]);
        assert_eq!(included(Scope::Admin).len(), 5);
        assert_eq!(Scope::parse("stats"), None);
    }
}
