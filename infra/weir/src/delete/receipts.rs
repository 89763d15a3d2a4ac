//! `weir delete status`: the receipts that the partitions' manifests keep.

use super::served;
use crate::human;
use crate::output::Output;
use crate::session::Session;
use crate::table::{Side, Table};
use anyhow::{Result, bail};
use serde::Serialize;
use weir_reader::stream;
use weir_rollup::manifest::{Erasure, Manifest};

/// A receipt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Receipt {
    id: String,
    partition: u32,
    /// 0 = every site.
    site_id: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    visitor_id: Option<String>,
    /// Only what happened before.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    requested: String,
    /// Sequence of the control record: what stands before it is covered.
    seq: u64,
    /// Queries show nothing of it.
    hidden: bool,
    /// No served file has a row of it.
    files_done: bool,
    /// Neither has the archive, nor a kept state.
    history_done: bool,
    /// When nothing of it was kept anywhere any more; `null` = not yet.
    r#final: Option<String>,
    /// What that waits for.
    waits_for: Vec<&'static str>,
}

impl Receipt {
    fn new(manifest: &Manifest, erasure: &Erasure, first_seq: u64) -> Self {
        Self {
            id: erasure.id.clone(),
            partition: manifest.partition,
            site_id: erasure.site_id,
            visitor_id: erasure.visitor_id.map(|id| format!("{id:016x}")),
            before: erasure.before_ms.and_then(|ms| u64::try_from(ms).ok()).map(human::moment),
            requested: human::moment(erasure.requested_ms),
            seq: erasure.seq,
            hidden: true,
            files_done: erasure.parts_done,
            history_done: erasure.history_done,
            r#final: erasure.final_ms.map(human::moment),
            waits_for: manifest.awaited(erasure, first_seq),
        }
    }

    fn whose(&self) -> String {
        match (&self.visitor_id, self.site_id) {
            (Some(visitor), site) => format!("visitor {visitor} of site {site}"),
            (None, 0) => "every site".to_owned(),
            (None, site) => format!("site {site}"),
        }
    }

    fn state(&self) -> String {
        match &self.r#final {
            Some(moment) => format!("final {moment}"),
            None => format!("hidden; waits for {}", self.waits_for.join(", ")),
        }
    }
}

/// Shows the receipts, or one of them.
pub(crate) async fn status(session: &Session, id: Option<&str>, output: Output) -> Result<()> {
    let mut receipts = Vec::new();
    for partition in session.partitions(None)? {
        let Some(manifest) = served(session, partition).await? else { continue };
        let first_seq = stream::state(&session.jetstream, &session.run.region, partition).await?.first_seq;
        receipts.extend(manifest.erasures.iter().map(|erasure| Receipt::new(&manifest, erasure, first_seq)));
    }
    if let Some(id) = id {
        receipts.retain(|receipt| receipt.id == id);
        if receipts.is_empty() {
            bail!(
                "there is no receipt {id}: one that was asked for this minute is not sealed yet (`weir flush`), one is shown for 400 days after it is final"
            );
        }
    }
    let mut table = Table::new([
        ("receipt", Side::Left),
        ("requested", Side::Left),
        ("what", Side::Left),
        ("before", Side::Left),
        ("state", Side::Left),
    ]);
    for receipt in &receipts {
        let before = receipt.before.clone().unwrap_or_else(|| format!("message {}", receipt.seq));
        table.row([&receipt.id, &receipt.requested, &receipt.whose(), &before, &receipt.state()]);
    }
    let text = if receipts.is_empty() { "nothing was deleted".to_owned() } else { table.lines(0).join("\n") };
    output.result(&receipts, &text)
}
