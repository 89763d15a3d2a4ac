//! The file: JSON records, one a line, compressed by zstd. `zstdcat FILE` shows it.
//!
//! The first record says version, region and time, the last one how many records came before it and the SHA-256 of their lines: a file that breaks
//! off, or was changed, is refused before anything of it is used.

use anyhow::{Context as _, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::io::{BufRead as _, BufReader, Read, Write};

/// Version of the format.
pub(super) const VERSION: u32 = 1;
/// Longest line: a state of a gigabyte in hex, and its name.
const LINE_BYTES_MAX: u64 = 2_100_000_000;
/// Compression level: states are compressed already, hex digits are not.
const ZSTD_LEVEL: i32 = 3;

/// What a backup is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header {
    /// [`VERSION`].
    pub(super) weir_backup: u32,
    /// Name of the region.
    pub(super) region: String,
    /// Number of its partitions.
    pub(super) partitions: u32,
    /// When it was made, Unix milliseconds.
    pub(super) created_ms: u64,
}

/// A record between the first and the last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum Record {
    /// A key of a bucket; values are JSON, or at least text.
    Key { bucket: String, key: String, value: String },
    /// An object of the store: its SHA-256, and its bytes in hex.
    Object { object: String, checksum: String, hex: String },
}

#[derive(Debug, Serialize, Deserialize)]
struct End {
    records: u64,
    sha256: String,
}

/// Writes a backup.
pub(super) struct Writer<W: Write> {
    to: zstd::stream::write::Encoder<'static, W>,
    hasher: Sha256,
    records: u64,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W, header: &Header) -> Result<Self> {
        let to = zstd::stream::write::Encoder::new(to, ZSTD_LEVEL)?;
        let mut writer = Self { to, hasher: Sha256::new(), records: 0 };
        writer.line(header)?;
        Ok(writer)
    }

    pub(super) fn record(&mut self, record: &Record) -> Result<()> {
        self.records += 1;
        self.line(record)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<()> {
        let mut line = serde_json::to_vec(value)?;
        line.push(b'\n');
        self.hasher.update(&line);
        self.to.write_all(&line).context("the backup cannot be written")
    }

    /// Writes the last record and returns what was written to.
    pub(super) fn finish(mut self) -> Result<W> {
        let end = End { records: self.records, sha256: hex::encode(self.hasher.clone().finalize()) };
        self.line(&end)?;
        self.to.finish().context("the backup cannot be written")
    }
}

/// Reads a backup through to its end; `each` sees every record, before it is known whether the whole is good.
pub(super) fn read(from: impl Read, mut each: impl FnMut(Record) -> Result<()>) -> Result<Header> {
    let mut lines = BufReader::new(zstd::stream::read::Decoder::new(from).context("this is no backup of weir")?);
    let mut hasher = Sha256::new();
    let header: Header = header(&next_line(&mut lines)?.context("this is no backup of weir: it is empty")?, &mut hasher)?;
    let mut records = 0;
    while let Some(line) = next_line(&mut lines)? {
        if let Ok(end) = serde_json::from_slice::<End>(&line) {
            let found = hex::encode(hasher.finalize());
            ensure!(end.records == records && end.sha256 == found, "the backup is damaged: its checksum does not fit");
            ensure!(next_line(&mut lines)?.is_none(), "the backup is damaged: something follows its end");
            return Ok(header);
        }
        let record =
            serde_json::from_slice(&line).with_context(|| format!("record {} of the backup cannot be read", records + 1))?;
        hasher.update(&line);
        records += 1;
        each(record)?;
    }
    bail!("the backup breaks off after {records} records: take another one");
}

fn header(line: &[u8], hasher: &mut Sha256) -> Result<Header> {
    #[derive(Deserialize)]
    struct Versioned {
        weir_backup: u32,
    }
    let versioned: Versioned = serde_json::from_slice(line).context("this is no backup of weir")?;
    if versioned.weir_backup != VERSION {
        bail!(
            "the backup has version {}, this program reads version {VERSION}: use the program that wrote it",
            versioned.weir_backup
        );
    }
    hasher.update(line);
    serde_json::from_slice(line).context("the first record of the backup cannot be read")
}

fn next_line(lines: &mut impl std::io::BufRead) -> Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    lines.take(LINE_BYTES_MAX).read_until(b'\n', &mut line).context("the backup cannot be read: it is damaged or breaks off")?;
    match line.last() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) => bail!("the backup breaks off in the middle of a record"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header { weir_backup: VERSION, region: "local".to_owned(), partitions: 2, created_ms: 1_700_000_000_000 }
    }

    fn records() -> Vec<Record> {
        vec![
            Record::Key { bucket: "sites".to_owned(), key: "shop.example".to_owned(), value: r#"{"id":1}"#.to_owned() },
            Record::Object {
                object: "state/local-0/5-a.state.zst".to_owned(),
                checksum: "ab".to_owned(),
                hex: "00ff".to_owned(),
            },
        ]
    }

    fn written() -> Vec<u8> {
        let mut writer = Writer::new(Vec::new(), &header()).unwrap();
        for record in records() {
            writer.record(&record).unwrap();
        }
        writer.finish().unwrap()
    }

    const PINNED: &str = concat!(
        r#"{"weir_backup":1,"region":"local","partitions":2,"created_ms":1700000000000}"#,
        "\n",
        r#"{"bucket":"sites","key":"shop.example","value":"{\"id\":1}"}"#,
        "\n",
        r#"{"object":"state/local-0/5-a.state.zst","checksum":"ab","hex":"00ff"}"#,
        "\n",
    );

    fn all(bytes: &[u8]) -> Result<(Header, Vec<Record>)> {
        let mut found = Vec::new();
        let header = read(bytes, |record| {
            found.push(record);
            Ok(())
        })?;
        Ok((header, found))
    }

    fn refused(text: &str) -> String {
        format!("{:#}", all(&zstd::encode_all(text.as_bytes(), 1).unwrap()).unwrap_err())
    }

    #[test]
    fn the_format_is_pinned() {
        let text = String::from_utf8(zstd::decode_all(written().as_slice()).unwrap()).unwrap();
        let end = format!("{}\n", serde_json::json!({"records": 2, "sha256": hex::encode(Sha256::digest(PINNED))}));
        assert_eq!(text, format!("{PINNED}{end}"), "a change needs a new VERSION");
        assert_eq!(all(&written()).unwrap(), (header(), records()));
    }

    #[test]
    fn what_is_not_whole_is_refused() {
        let whole = written();
        for length in 0..whole.len() {
            assert!(all(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
        let end = format!("{}\n", serde_json::json!({"records": 2, "sha256": hex::encode(Sha256::digest(PINNED))}));
        assert!(refused(PINNED).contains("breaks off after 2 records"));
        assert!(refused(&format!("{}{end}", PINNED.replace("shop", "stop"))).contains("checksum"));
        assert!(refused(&format!("{PINNED}{end}{end}")).contains("follows its end"));
        assert!(refused(&PINNED.replace("weir_backup\":1", "weir_backup\":2")).contains("version 2"));
        assert!(refused("{}\n").contains("no backup"));
        assert!(all(b"plain text").is_err());
    }
}
