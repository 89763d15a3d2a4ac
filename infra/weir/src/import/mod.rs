//! `weir import`: a file of past page views or events, read once from start to end, counted once however often it is imported.

mod batches;
mod convert;
mod lines;
mod progress;
mod record;

pub(crate) use convert::Format;
pub(crate) use progress::Shown;
pub(crate) use record::Tally;

use crate::cli::ImportOptions;
use crate::home::Home;
use crate::output::Output;
use crate::publish::{self, Batch};
use crate::session::{Session, now_ms};
use crate::{countries, sites};
use anyhow::{Context as _, Result, bail};
use batches::Batches;
use convert::{Converter, Outcome};
use lines::{Line, Lines};
use progress::Progress;
use record::{Record, Records};
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;
use weir_event::site::Site;

/// Batches that wait to be published: at most 4 × 0.9 MB.
const WAITING_MAX: usize = 4;

/// What to import.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The file.
    pub(crate) file: PathBuf,
    /// Format of its lines.
    pub(crate) format: Format,
    /// Days by which all times are moved.
    pub(crate) shift_days: i32,
}

/// `weir import`.
pub(crate) async fn command(options: &ImportOptions, output: Output) -> Result<()> {
    let session = Session::open().await?;
    let site = sites::require(&session, &options.site).await?;
    let source = Source { file: options.file.clone(), format: options.format, shift_days: options.shift_days };
    let shown = if output.is_json() { Shown::Nothing } else { Shown::Progress };
    let tally = run(&session, &site, &source, shown).await?;
    output.result(&tally, &tally.text())
}

/// Imports a file and says what became of its lines.
pub(crate) async fn run(session: &Session, site: &Site, source: &Source, shown: Shown) -> Result<Tally> {
    let path = source.file.clone();
    let digest = tokio::task::spawn_blocking(move || digest(&path)).await??;
    let records = Records::new(session, site.id, &digest).await?;
    let record = match records.load().await? {
        Some(Record { done: Some(_), .. }) => return Ok(Tally { already_imported: true, ..Tally::default() }),
        // An interrupted import goes on exactly as it began.
        Some(record) => record,
        None => records.start(now_ms(), source.shift_days).await?,
    };
    if record.shift_days != source.shift_days {
        tracing::warn!(shift_days = record.shift_days, "an interrupted import goes on with the shift that it began with");
    }
    let (sender, mut receiver) = mpsc::channel::<Batch>(WAITING_MAX);
    let reader = tokio::task::spawn_blocking({
        let (site, source, record, digest) = (site.clone(), source.clone(), record.clone(), digest);
        let home = session.home.clone();
        move || read(&site, &source, &record, digest, &home, shown, &sender)
    });
    let region = &session.run.region;
    let mut acknowledged = record.acknowledged;
    let mut published = Ok(());
    while let Some(batch) = receiver.recv().await {
        if batch.number <= acknowledged {
            continue;
        }
        published = publish::publish(&session.jetstream, region, site.partition, &batch).await;
        if published.is_err() {
            break;
        }
        acknowledged = batch.number;
        if acknowledged.is_multiple_of(record::NOTE_EVERY) {
            records.note(&record, acknowledged).await?;
        }
    }
    drop(receiver);
    let read = reader.await.context("reading the file failed")?;
    if let Err(error) = published {
        records.note(&record, acknowledged).await?;
        return Err(error.context("the import was interrupted: run it again, it goes on where it stopped"));
    }
    let tally = read?;
    records.finish(&record, acknowledged, &tally).await?;
    Ok(tally)
}

/// Reads the file and hands batches on; ends early when nobody takes them any more.
fn read(
    site: &Site,
    source: &Source,
    record: &Record,
    digest: [u8; 32],
    home: &Home,
    shown: Shown,
    sender: &mpsc::Sender<Batch>,
) -> Result<Tally> {
    let converter = Converter::new(site, source.format, record, digest, countries::load(home)?);
    let file = File::open(&source.file).with_context(|| format!("cannot read {}", source.file.display()))?;
    let mut progress = Progress::new(shown, file.metadata()?.len());
    let mut lines = Lines::new(file);
    let mut batches = Batches::new(site, &digest, record.started_ms);
    let mut tally = Tally::default();
    while let Some(line) = lines.next().with_context(|| format!("cannot read {}", source.file.display()))? {
        let outcome = match line {
            Line::Whole(bytes) => converter.convert(bytes),
            Line::TooLong => Outcome::Refused("line is longer than 1 MB".to_owned()),
        };
        progress.advance(lines.bytes_read());
        match outcome {
            Outcome::Blank => {}
            Outcome::Taken(event) => {
                tally.taken += 1;
                if let Some(batch) = batches.push(*event)
                    && sender.blocking_send(batch).is_err()
                {
                    bail!("the import was interrupted");
                }
            }
            Outcome::Skipped => tally.skipped += 1,
            Outcome::Refused(reason) => tally.refuse(reason),
        }
    }
    if lines.digest() != digest {
        bail!("{} changed while it was read: import it again when it is finished", source.file.display());
    }
    if let Some(batch) = batches.finish()
        && sender.blocking_send(batch).is_err()
    {
        bail!("the import was interrupted");
    }
    progress.finish();
    Ok(tally)
}

/// SHA-256 of the file: its identity.
fn digest(path: &Path) -> Result<[u8; 32]> {
    let mut file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    if !file.metadata()?.is_file() {
        bail!("{} is not a plain file: an import reads its file twice", path.display());
    }
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).with_context(|| format!("cannot read {}", path.display()))?;
        match buffer.get(..count) {
            Some(bytes) if count > 0 => hasher.update(bytes),
            _ => return Ok(hasher.finalize().into()),
        }
    }
}
