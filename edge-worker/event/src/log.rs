//! Lines of a web server's access log in the combined format.

use std::borrow::Cow;

/// Longest line that is looked at, bytes.
pub const LINE_BYTES_MAX: usize = 65_536;

/// Suffixes of paths that are parts of a page or downloads, never pages. Compared in lower case, without the query.
pub const ASSET_SUFFIXES: &[&str] = &[
    ".7z",
    ".apk",
    ".atom",
    ".avif",
    ".bmp",
    ".bz2",
    ".css",
    ".csv",
    ".deb",
    ".dmg",
    ".doc",
    ".docx",
    ".eot",
    ".exe",
    ".flac",
    ".gif",
    ".gz",
    ".ico",
    ".iso",
    ".jar",
    ".jpeg",
    ".jpg",
    ".js",
    ".json",
    ".m4a",
    ".m4v",
    ".map",
    ".mjs",
    ".mov",
    ".mp3",
    ".mp4",
    ".mpeg",
    ".msi",
    ".oga",
    ".ogg",
    ".ogv",
    ".otf",
    ".pdf",
    ".png",
    ".ppt",
    ".pptx",
    ".rar",
    ".rpm",
    ".rss",
    ".svg",
    ".swf",
    ".tar",
    ".tgz",
    ".tif",
    ".tiff",
    ".ttf",
    ".txt",
    ".wasm",
    ".wav",
    ".webm",
    ".webmanifest",
    ".webp",
    ".woff",
    ".woff2",
    ".xls",
    ".xlsx",
    ".xml",
    ".xz",
    ".zip",
];

/// One request of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Client address as the log spells it.
    pub address: String,
    /// When the request came, Unix milliseconds.
    pub time_ms: u64,
    /// Request method.
    pub method: String,
    /// Target of the request: path and query.
    pub path: String,
    /// Status of the answer.
    pub status: u16,
    /// Referrer; empty for `-`.
    pub referrer: String,
    /// User agent; empty for `-`.
    pub user_agent: String,
}

/// Why a line is not of the combined format: the part that is missing or wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// More bytes than [`LINE_BYTES_MAX`].
    #[error("line is longer than {LINE_BYTES_MAX} bytes")]
    TooLong,
    /// No client address at the start.
    #[error("line has no client address")]
    Address,
    /// No `[day/month/year:hour:minute:second zone]`.
    #[error("line has no time in brackets")]
    Time,
    /// No `"METHOD path PROTOCOL"`.
    #[error("line has no request in quotes")]
    Request,
    /// No three-digit status after the request.
    #[error("line has no status")]
    Status,
}

/// Reads one line. Referrer and user agent may be missing (the common format) or cut off.
///
/// # Errors
/// Names the first part that does not fit.
pub fn parse_line(line: &str) -> Result<LogLine, LogError> {
    if line.len() > LINE_BYTES_MAX {
        return Err(LogError::TooLong);
    }
    let line = line.trim();
    let (address, rest) = line.split_once(' ').ok_or(LogError::Address)?;
    if address.is_empty() {
        return Err(LogError::Address);
    }
    let (_identity, rest) = rest.split_once('[').ok_or(LogError::Time)?;
    let (time, rest) = rest.split_once(']').ok_or(LogError::Time)?;
    let time_ms = parse_time(time).ok_or(LogError::Time)?;
    let (request, rest) = quoted(rest).ok_or(LogError::Request)?;
    let mut words = request.split_ascii_whitespace();
    let method = words.next().ok_or(LogError::Request)?.to_owned();
    let path = words.next().ok_or(LogError::Request)?.to_owned();
    let mut words = rest.split_ascii_whitespace();
    let status = words.next().filter(|s| s.len() == 3).and_then(|s| s.parse().ok()).ok_or(LogError::Status)?;
    let (referrer, rest) = quoted(rest).unwrap_or_default();
    let (user_agent, _) = quoted(rest).unwrap_or_default();
    let blank = |text: Cow<'_, str>| if text == "-" { String::new() } else { text.into_owned() };
    Ok(LogLine {
        address: address.to_owned(),
        time_ms,
        method,
        path,
        status,
        referrer: blank(referrer),
        user_agent: blank(user_agent),
    })
}

/// A page view is a GET that was answered with 200 or 304 and is not for a static asset.
pub fn is_page_view(line: &LogLine) -> bool {
    line.method == "GET" && matches!(line.status, 200 | 304) && !is_asset(&line.path)
}

/// Whether the path ends in one of [`ASSET_SUFFIXES`], query and fragment aside.
pub fn is_asset(path: &str) -> bool {
    let end = path.find(['?', '#']).unwrap_or(path.len());
    let path = path.get(..end).unwrap_or(path).to_ascii_lowercase();
    ASSET_SUFFIXES.iter().any(|suffix| path.ends_with(suffix))
}

/// The next text in double quotes and what follows it. `\"`, `\\` and `\xHH` are unescaped; a missing end quote means the end of the line.
fn quoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let (_, inner) = text.split_once('"')?;
    let mut escaped = false;
    let end = inner.find(|c| match c {
        _ if escaped => {
            escaped = false;
            false
        }
        '\\' => {
            escaped = true;
            false
        }
        c => c == '"',
    });
    let (content, rest) = match end {
        Some(end) => (inner.get(..end)?, inner.get(end + 1..)?),
        None => (inner, ""),
    };
    let content = if content.contains('\\') { Cow::Owned(unescape(content)) } else { Cow::Borrowed(content) };
    Some((content, rest))
}

fn unescape(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        match rest {
            [b'x', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(hex_digit(*high) * 16 + hex_digit(*low));
                rest = tail;
            }
            [next, tail @ ..] => {
                bytes.push(match next {
                    b't' => b'\t',
                    b'n' => b'\n',
                    b'r' => b'\r',
                    other => *other,
                });
                rest = tail;
            }
            [] => bytes.push(b'\\'),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_digit(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.to_ascii_uppercase().wrapping_sub(b'A').wrapping_add(10),
    }
}

/// `17/May/2015:10:05:03 +0000` → Unix milliseconds.
fn parse_time(text: &str) -> Option<u64> {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (moment, zone) = text.split_once(' ').unwrap_or((text, "+0000"));
    let mut parts = moment.split(['/', ':']);
    let day: u64 = parts.next()?.parse().ok()?;
    let month_name = parts.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month_name))? as u64 + 1;
    let year: u64 = parts.next()?.parse().ok()?;
    let mut clock = [0_u64; 3];
    for field in &mut clock {
        *field = parts.next()?.parse().ok()?;
    }
    let [hour, minute, second] = clock;
    if parts.next().is_some()
        || !(1970..=9999).contains(&year)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let local = days_from_civil(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
    let (sign, digits) = zone.split_at_checked(1)?;
    if digits.len() != 4 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let zone: u64 = digits.parse().ok()?;
    let offset = zone / 100 * 3_600 + zone % 100 * 60;
    let seconds = match sign {
        "+" => local.checked_sub(offset)?,
        "-" => local.checked_add(offset)?,
        _ => return None,
    };
    Some(seconds * 1_000)
}

/// Howard Hinnant's `days_from_civil`, for years from 1970 on.
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let shifted_year = if month <= 2 { year - 1 } else { year };
    let era = shifted_year / 400;
    let year_of_era = shifted_year % 400;
    let month_index = (month + 9) % 12;
    let day_of_year = (153 * month_index + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LINE: &str = r#"192.0.2.9 - bob [17/May/2015:10:05:03 +0000] "GET /a/b.html?x=1 HTTP/1.1" 200 203023 "http://ref.example/" "Mozilla/5.0 (X)""#;

    #[test]
    fn a_combined_line() {
        let line = parse_line(LINE).unwrap();
        let expected = LogLine {
            address: "192.0.2.9".into(),
            time_ms: 1_431_857_103_000,
            method: "GET".into(),
            path: "/a/b.html?x=1".into(),
            status: 200,
            referrer: "http://ref.example/".into(),
            user_agent: "Mozilla/5.0 (X)".into(),
        };
        assert_eq!(line, expected);
        assert!(is_page_view(&line));
    }

    #[test]
    fn odd_lines() {
        let check = |line: &str, referrer: &str, agent: &str| {
            let line = parse_line(line).unwrap();
            assert_eq!((line.referrer.as_str(), line.user_agent.as_str()), (referrer, agent));
        };
        check(r#"::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 - "-" "-""#, "", "");
        check(r#"::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 12"#, "", "");
        check(r#"::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "-" "cut off"#, "", "cut off");
        check(
            r#"::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "http://\xd0\xb4/\"x" "a\\b""#,
            "http://д/\"x",
            "a\\b",
        );
        check(r#"::1 - - [17/May/2015:10:05:03 +0000] "GET / HTTP/1.1" 200 1 "\" "x""#, "\" ", "");
    }

    #[test]
    fn zones_and_leap_days() {
        let check = |time: &str, expected: Option<u64>| assert_eq!(parse_time(time), expected, "{time}");
        check("01/Jan/1970:00:00:00 +0000", Some(0));
        check("01/Jan/1970:02:00:00 +0200", Some(0));
        check("31/Dec/1969:22:00:00 -0200", None);
        check("29/Feb/2000:00:00:00 +0000", Some(951_782_400_000));
        check("01/Jan/1970:00:00:00 +0200", None);
        check("01/Foo/1970:00:00:00 +0000", None);
        check("99/Jan/1970:00:00:00 +0000", None);
        check("01/Jan/1970:00:00 +0000", None);
        check("01/Jan/1970:00:00:00 *0000", None);
    }

    #[test]
    fn broken_lines() {
        let check = |line: &str, expected: LogError| assert_eq!(parse_line(line), Err(expected), "{line}");
        check("", LogError::Address);
        check("nonsense", LogError::Address);
        check("::1 - - GET", LogError::Time);
        check("::1 - - [yesterday] \"GET / HTTP/1.1\" 200 1", LogError::Time);
        check("::1 - - [17/May/2015:10:05:03 +0000] GET / 200", LogError::Request);
        check("::1 - - [17/May/2015:10:05:03 +0000] \"-\" 400 0", LogError::Request);
        check("::1 - - [17/May/2015:10:05:03 +0000] \"GET / HTTP/1.1\" - 0", LogError::Status);
        check(&"x".repeat(LINE_BYTES_MAX + 1), LogError::TooLong);
    }

    #[test]
    fn page_views() {
        let check = |method: &str, path: &str, status: u16, expected: bool| {
            let line = LogLine { method: method.into(), path: path.into(), status, ..parse_line(LINE).unwrap() };
            assert_eq!(is_page_view(&line), expected, "{method} {path} {status}");
        };
        check("GET", "/", 200, true);
        check("GET", "/page.html", 304, true);
        check("GET", "/page?file=a.png", 200, true);
        check("GET", "/style.CSS?v=2", 200, false);
        check("GET", "/a.js#x", 200, false);
        check("HEAD", "/", 200, false);
        check("POST", "/", 200, false);
        check("GET", "/", 206, false);
        check("GET", "/", 404, false);
    }

    proptest! {
        #[test]
        fn no_line_panics(line in r#"[0-9./:\[\]"\\ +x-]*|.*"#) {
            let _ignored = parse_line(&line);
            let _ignored = is_asset(&line);
        }

        #[test]
        fn no_cut_panics(cut in 0_usize..200) {
            let _ignored = parse_line(&LINE.chars().take(cut).collect::<String>());
        }
    }
}
