//! What `weir site` and `weir shield` can be told.

use crate::shields::Kind;
use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum SiteCommand {
    /// Add a site. The edge takes its events within 5 s.
    Add {
        /// Its domain, as in the attribute data-domain of the script.
        domain: String,
        /// Time zone of its reports, by its IANA name.
        #[arg(long, default_value = "UTC")]
        timezone: String,
        /// Id of the account that owns it; default: the operator.
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        #[command(flatten)]
        collector: CollectorOption,
    },
    /// List the sites.
    List {
        #[command(flatten)]
        collector: CollectorOption,
    },
    /// Show a site: its limits, the settings of its script, its shields, and what to paste into its pages.
    Show {
        /// Its domain.
        domain: String,
        #[command(flatten)]
        collector: CollectorOption,
    },
    /// Change limits and script of a site; what is not named stays. In force at the edge within 5 s.
    Set {
        /// Its domain.
        domain: String,
        #[command(flatten)]
        options: SetOptions,
    },
}

/// Where browsers reach the collector.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct CollectorOption {
    /// Address under which web sites reach the collector, for the snippet; default: the first edge of this machine.
    #[arg(long, env = "WEIR_COLLECTOR_URL")]
    pub(crate) collector_url: Option<String>,
}

/// What `site set` can be told.
#[derive(Clone, Debug, Default, Args)]
#[group(id = "settings", required = true, multiple = true, args = [
    "site_events_per_s", "address_events_per_s", "outbound_links", "file_downloads", "form_submissions", "hash_routing", "web_vitals", "respect_gpc",
])]
pub(crate) struct SetOptions {
    /// Most events a second that one edge takes for the site, from all senders; over it they are answered 429. 0 = no limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) site_events_per_s: Option<u32>,
    /// Most events a second that one edge takes for the site from one address. 0 = no limit.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub(crate) address_events_per_s: Option<u32>,
    /// Whether the site's own script counts clicks on links to other hosts: on or off.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) outbound_links: Option<bool>,
    /// Whether it counts downloads of files.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) file_downloads: Option<bool>,
    /// Whether it counts sent forms.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) form_submissions: Option<bool>,
    /// Whether the part after # names the page.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) hash_routing: Option<bool>,
    /// Whether it measures how fast pages load.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) web_vitals: Option<bool>,
    /// Whether it sends nothing for browsers with Global Privacy Control.
    #[arg(long, value_name = "ON", value_parser = clap::builder::BoolishValueParser::new())]
    pub(crate) respect_gpc: Option<bool>,
    #[command(flatten)]
    pub(crate) collector: CollectorOption,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account. It is known by the id that is printed.
    Add {
        /// What people call it.
        name: String,
    },
    /// List the accounts.
    List,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ShieldCommand {
    /// Add entries to a list of a site; each list takes 500. In force at the edge within 5 s; what was counted before stays.
    Add(ShieldOptions),
    /// Remove entries.
    Remove(ShieldOptions),
    /// Show a site's lists.
    List {
        /// Domain of the site.
        #[arg(long)]
        site: String,
    },
}

/// What `shield add` and `shield remove` need to know.
#[derive(Clone, Debug, Args)]
pub(crate) struct ShieldOptions {
    /// Domain of the site.
    #[arg(long)]
    pub(crate) site: String,
    /// Which list.
    #[arg(value_enum)]
    pub(crate) kind: Kind,
    /// The entries, like 192.0.2.0/24, DE, /admin/** or *.shop.example.
    #[arg(required = true, num_args = 1..)]
    pub(crate) values: Vec<String>,
}
