//! Searches for secrets: bytes in every spelling in which a program may tell them, what processes were started with, and sources.

use aho_corasick::AhoCorasick;
use anyhow::{Context as _, Result, ensure};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Shortest secret: anything shorter is found by chance.
const BYTES_MIN: usize = 12;
/// Pause between looks at the processes: programs that only say something live longer.
const LOOK_EVERY: Duration = Duration::from_millis(2);
const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// A secret.
#[derive(Clone, Debug)]
pub struct Secret {
    /// What it is.
    pub name: String,
    /// The secret itself.
    pub value: Vec<u8>,
}

impl Secret {
    /// A secret by its name.
    pub fn new(name: &str, value: impl Into<Vec<u8>>) -> Self {
        Self { name: name.to_owned(), value: value.into() }
    }
}

/// Spellings of a secret: as it is, base64 wherever in a longer text it stands, hex, for an address, for a form, inside JSON.
pub fn spellings(secret: &[u8]) -> BTreeSet<Vec<u8>> {
    let mut all = BTreeSet::from([secret.to_vec()]);
    for alphabet in [STANDARD, URL_SAFE] {
        all.extend((0..3).map(|offset| base64_at(secret, offset, alphabet)));
    }
    let hex = |upper: bool, before: &str| {
        let digits = |byte: &u8| if upper { format!("{before}{byte:02X}") } else { format!("{before}{byte:02x}") };
        secret.iter().map(digits).collect::<String>().into_bytes()
    };
    all.extend([hex(false, ""), hex(true, ""), hex(false, "%"), hex(true, "%")]);
    for (space, upper) in [("%20", true), ("%20", false), ("+", true), ("+", false)] {
        all.insert(for_address(secret, space, upper).into_bytes());
    }
    if let Ok(text) = std::str::from_utf8(secret) {
        let quoted = serde_json::Value::from(text).to_string();
        all.insert(quoted.trim_matches('"').as_bytes().to_vec());
    }
    all
}

/// Base64 of bytes that begin `offset` bytes behind a group of three: what does not depend on what stands before and after.
fn base64_at(bytes: &[u8], offset: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let padded: Vec<u8> = std::iter::repeat_n(0, offset).chain(bytes.iter().copied()).collect();
    let bit = |index: usize| padded.get(index / 8).map_or(0, |byte| byte >> (7 - index % 8) & 1);
    let digit = |number: usize| (0..6).fold(0_usize, |digit, place| digit << 1 | usize::from(bit(number * 6 + place)));
    let (from, to) = ((offset * 8).div_ceil(6), padded.len() * 8 / 6);
    (from..to).filter_map(|number| alphabet.get(digit(number)).copied()).collect()
}

fn for_address(bytes: &[u8], space: &str, upper: bool) -> String {
    let mut text = String::new();
    for byte in bytes {
        let written = match byte {
            b' ' => write!(text, "{space}"),
            b'-' | b'_' | b'.' | b'~' => write!(text, "{}", char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => write!(text, "{}", char::from(*byte)),
            byte if upper => write!(text, "%{byte:02X}"),
            byte => write!(text, "%{byte:02x}"),
        };
        // Writing to a string cannot fail.
        debug_assert!(written.is_ok());
    }
    text
}

/// A search for a set of secrets.
pub struct Search {
    spellings: AhoCorasick,
    /// Of each spelling, whose it is.
    owners: Vec<String>,
}

/// A file that holds a secret.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Held {
    /// The file, from the folder that was searched.
    pub file: PathBuf,
    /// Names of the secrets.
    pub secrets: BTreeSet<String>,
    /// Permissions of the file.
    pub mode: u32,
}

/// What a search of a folder found.
#[derive(Debug, Default)]
pub struct Found {
    /// Files that hold secrets.
    pub held: Vec<Held>,
    /// Names of files and folders that tell secrets.
    pub names: Vec<PathBuf>,
    /// Folders that others than the owner may enter.
    pub open_folders: Vec<PathBuf>,
    /// Files searched.
    pub files: u64,
}

impl Search {
    /// A search for these. Fails if one is so short that it is found by chance.
    pub fn new(secrets: &[Secret]) -> Result<Self> {
        let (mut patterns, mut owners) = (Vec::new(), Vec::new());
        for secret in secrets {
            ensure!(
                secret.value.len() >= BYTES_MIN,
                "{} has {} bytes: too few to be searched for",
                secret.name,
                secret.value.len()
            );
            for spelling in spellings(&secret.value) {
                patterns.push(spelling);
                owners.push(secret.name.clone());
            }
        }
        Ok(Self { spellings: AhoCorasick::new(&patterns)?, owners })
    }

    /// Names of the secrets in bytes.
    pub fn bytes(&self, bytes: &[u8]) -> BTreeSet<String> {
        let hits = self.spellings.find_overlapping_iter(bytes);
        hits.filter_map(|hit| self.owners.get(hit.pattern().as_usize()).cloned()).collect()
    }

    /// Searches all files below a folder, and their names. One that vanishes meanwhile is passed over.
    pub fn folder(&self, root: &Path) -> Result<Found> {
        let mut found = Found::default();
        self.below(root, root, &mut found)?;
        found.held.sort();
        Ok(found)
    }

    fn below(&self, root: &Path, folder: &Path, found: &mut Found) -> Result<()> {
        if std::fs::metadata(folder)?.permissions().mode() & 0o077 != 0 {
            found.open_folders.push(folder.to_owned());
        }
        for entry in std::fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let (path, kind) = (entry.path(), entry.file_type()?);
            if !self.bytes(entry.file_name().as_bytes()).is_empty() {
                found.names.push(path.clone());
            }
            if kind.is_dir() {
                if let Err(error) = self.below(root, &path, found) {
                    ensure!(!path.exists(), error);
                }
            } else if kind.is_file()
                && let (Ok(bytes), Ok(metadata)) = (std::fs::read(&path), entry.metadata())
            {
                found.files += 1;
                let secrets = self.bytes(&bytes);
                if !secrets.is_empty() {
                    let file = path.strip_prefix(root).unwrap_or(&path).to_owned();
                    found.held.push(Held { file, secrets, mode: metadata.permissions().mode() & 0o777 });
                }
            }
        }
        Ok(())
    }
}

/// How processes were started: each command line and each variable that was seen.
#[derive(Clone, Debug, Default)]
pub struct Started {
    /// Command lines.
    pub commands: BTreeSet<Vec<u8>>,
    /// Environments, each as a whole.
    pub environments: BTreeSet<Vec<u8>>,
}

impl Started {
    /// Looks at a process and all below it.
    fn look(&mut self, root: u32) {
        for pid in crate::process::tree(root) {
            let read = |name: &str| std::fs::read(format!("/proc/{pid}/{name}")).unwrap_or_default();
            self.commands.insert(read("cmdline"));
            self.environments.insert(read("environ"));
        }
    }
}

/// Looks at all processes below this one again and again.
pub struct Watch {
    ended: Arc<AtomicBool>,
    looking: JoinHandle<Started>,
}

impl Watch {
    /// Begins to look.
    pub fn begin() -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let looking = std::thread::spawn({
            let ended = Arc::clone(&ended);
            move || {
                let mut started = Started::default();
                while !ended.load(Ordering::Relaxed) {
                    started.look(std::process::id());
                    std::thread::sleep(LOOK_EVERY);
                }
                started
            }
        });
        Self { ended, looking }
    }

    /// What was seen until now.
    pub fn end(self) -> Result<Started> {
        self.ended.store(true, Ordering::Relaxed);
        self.looking.join().map_err(|_| anyhow::anyhow!("the processes could not be looked at"))
    }
}

/// Lines of a source that hold what should be a secret: private keys, keys of ours and of Amazon's, and secrets that an image or a container is told by
/// value instead of by file.
pub fn written_secrets(text: &str) -> Vec<&str> {
    text.lines().filter(|line| is_key(line) || is_private_key(line) || is_told_by_value(line)).collect()
}

fn is_private_key(line: &str) -> bool {
    line.split_once("-----BEGIN ")
        .is_some_and(|(_, rest)| rest.split("-----").next().is_some_and(|kind| kind.ends_with("PRIVATE KEY")))
}

/// A key in its form. Those of tests, of one letter only or a few, are none.
fn is_key(line: &str) -> bool {
    let follows = |start: &str, length: usize| {
        line.match_indices(start).any(|(at, _)| {
            let rest: Vec<u8> = line.bytes().skip(at + start.len()).take_while(u8::is_ascii_alphanumeric).collect();
            rest.len() == length && rest.iter().collect::<BTreeSet<_>>().len() > 5
        })
    };
    follows("weir_", 43) || follows("AKIA", 16)
}

/// `ENV WEIR_NATS_PASSWORD=…`, `ARG TOKEN`, `WEIR_EDGE_TOKEN: …`, `- { name: …, value: … }`: a secret by value. One that names a file (`…_FILE`) is none.
fn is_told_by_value(line: &str) -> bool {
    let line = line.trim().trim_start_matches("- ");
    if line.starts_with('#') {
        return false;
    }
    let name = line.strip_prefix("ENV ").or_else(|| line.strip_prefix("ARG ")).unwrap_or(line).trim_start_matches("{ name: ");
    let name: &str = name.split([' ', '=', ':', ',']).next().unwrap_or_default().trim_matches('"');
    let is_variable =
        name.len() > 3 && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    let is_secret =
        ["PASSWORD", "SECRET", "TOKEN", "ACCESS_KEY", "ADMIN_KEY", "PRIVATE_KEY"].iter().any(|word| name.contains(word));
    is_variable && is_secret && !name.ends_with("_FILE")
}

#[cfg(test)]
mod tests {
    use super::{STANDARD, URL_SAFE};
    use super::{Search, Secret, Started, base64_at, spellings, written_secrets};
    use std::os::unix::fs::PermissionsExt as _;

    const SECRET: &str = "Ab9 \"x\"/+?ü-geheim_0123456789";

    fn search() -> Search {
        Search::new(&[Secret::new("it", SECRET), Secret::new("other", [7_u8; 32])]).unwrap()
    }

    /// Each byte in hex behind something.
    fn written(before: &str, text: &str) -> String {
        text.bytes().fold(String::new(), |all, byte| format!("{all}{before}{byte:02x}"))
    }

    /// Whole base64 with padding, by the definition.
    fn base64(bytes: &[u8]) -> String {
        let mut text = String::new();
        for group in bytes.chunks(3) {
            let three = [group[0], group.get(1).copied().unwrap_or(0), group.get(2).copied().unwrap_or(0)];
            let number = u32::from_be_bytes([0, three[0], three[1], three[2]]);
            for place in 0..4 {
                let digit = (number >> (18 - 6 * place)) & 63;
                text.push(if place <= group.len() as u32 { char::from(STANDARD[digit as usize]) } else { '=' });
            }
        }
        text
    }

    #[test]
    fn a_planted_secret_is_found_in_every_spelling() {
        let search = search();
        let hex = written("", SECRET);
        let percent = written("%", SECRET).to_uppercase();
        let mut planted = vec![
            SECRET.to_owned(),
            hex.to_uppercase(),
            hex,
            percent,
            "Ab9%20%22x%22%2F%2B%3F%C3%BC-geheim_0123456789".to_owned(),
            "Ab9+%22x%22%2f%2b%3f%c3%bc-geheim_0123456789".to_owned(),
            serde_json::json!({"a": SECRET}).to_string(),
        ];
        // As a password behind a name of any length, and before anything.
        for user in ["", "a", "ab", "abc", "query:"] {
            for behind in ["", "x", "yz"] {
                let encoded = base64(format!("{user}{SECRET}{behind}").as_bytes());
                planted.push(encoded.replace('+', "-").replace('/', "_"));
                planted.push(encoded);
            }
        }
        for text in planted {
            let found = search.bytes(format!("level=info token={text}, and more").as_bytes());
            assert_eq!(found.into_iter().collect::<Vec<_>>(), ["it"], "{text}");
        }
        let mut binary = b"\0\x01".to_vec();
        binary.extend([7_u8; 32]);
        assert!(search.bytes(&binary).contains("other"));
        let nearly = SECRET.replace("geheim", "Geheim");
        for text in ["", "level=info", &nearly, &base64(nearly.as_bytes())] {
            assert!(search.bytes(text.as_bytes()).is_empty(), "{text}");
        }
        assert!(Search::new(&[Secret::new("short", "12345678901")]).is_err());
    }

    #[test]
    fn base64_is_what_others_make_of_it() {
        assert_eq!(base64(b"foobar"), "Zm9vYmFy");
        assert_eq!(base64(b"fooba"), "Zm9vYmE=");
        assert_eq!(base64_at(b"foobar", 0, STANDARD), b"Zm9vYmFy");
        // "xfoobar" is eGZvb2Jhcg==, of which the first two and the last letters are not its own alone.
        assert_eq!(base64_at(b"foobar", 1, STANDARD), b"Zvb2Jhc");
        assert_eq!(base64_at(&[0xff; 3], 0, URL_SAFE), b"____");
        assert!(spellings(SECRET.as_bytes()).len() > 10);
    }

    #[test]
    fn files_names_and_open_folders_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        let name = written("", SECRET);
        write("deep/down/log", &format!("a\n{SECRET}\n"), 0o644);
        write("deep/clean", "nothing", 0o644);
        write(&name, "nothing", 0o600);
        for (open, mode) in [("", 0o700), ("deep", 0o750), ("deep/down", 0o700)] {
            std::fs::set_permissions(folder.path().join(open), std::fs::Permissions::from_mode(mode)).unwrap();
        }
        let found = search().folder(folder.path()).unwrap();
        assert_eq!((found.files, found.held.len()), (3, 1));
        assert_eq!((found.held[0].file.to_str().unwrap(), found.held[0].mode), ("deep/down/log", 0o644));
        assert_eq!(found.names, [folder.path().join(name)]);
        assert_eq!(found.open_folders, [folder.path().join("deep")]);
    }

    #[test]
    fn arguments_and_variables_of_a_process_are_seen() {
        let mut child =
            std::process::Command::new("sleep").args(["20", "0"]).env("PLANTED", "Planted-In-A-Variable").spawn().unwrap();
        let mut started = Started::default();
        let is_seen = |all: &std::collections::BTreeSet<Vec<u8>>, text: &[u8]| {
            all.iter().any(|one| one.windows(text.len()).any(|part| part == text))
        };
        // Until the child has become the program.
        while !is_seen(&started.commands, b"sleep\x0020\x000") {
            assert!(child.try_wait().unwrap().is_none(), "it ended unseen");
            started.look(std::process::id());
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let search = Search::new(&[Secret::new("planted", "Planted-In-A-Variable")]).unwrap();
        assert!(started.environments.iter().any(|one| !search.bytes(one).is_empty()));
    }

    #[test]
    fn secrets_in_sources_are_told() {
        // Put together here, so that this file is none that holds one.
        let key = format!("let key = \"{}{}\";", "weir_", "aB3dE6gH9jK2mN5pQ8sT1vW4yZ7bC0dF3hJ6kL9nP2r");
        let begin = format!("-----BEGIN {}-----", "PRIVATE KEY");
        let amazon = format!("id = {}{}", "AKIA", "IOSFODNN7EXAMPLE");
        for line in [
            key.as_str(),
            &begin,
            &amazon,
            "ENV WEIR_NATS_PASSWORD=x",
            "ARG EDGE_TOKEN",
            "  WEIR_ADMIN_KEY: weir",
            concat!("AWS_SECRET_ACCESS_", "KEY=x"),
            "- { name: WEIR_EDGE_TOKEN, value: x }",
            "            - { name: WEIR_NATS_PASSWORD, value: \"x\" }",
            concat!("WEIR_SEC", "RET: \"x\""),
        ] {
            assert_eq!(written_secrets(line), [line]);
        }
        for line in [
            "ENV WEIR_HOME=/var/lib/weir",
            "WEIR_NATS_PASSWORD_FILE: /etc/x",
            "- { name: WEIR_EDGE_TOKEN_FILE, value: /etc/x }",
            "# WEIR_EDGE_TOKEN=x",
            "  secret: { secretName: weir-edge }",
            "-----BEGIN CERTIFICATE-----",
            "weir_0000000000000000000000000000000000000000000",
            "weir_short",
            "automountServiceAccountToken: false",
        ] {
            assert!(written_secrets(line).is_empty(), "{line}");
        }
    }
}
