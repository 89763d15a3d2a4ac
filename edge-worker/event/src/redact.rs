//! Blanks a sender's own address where it repeats it in a text.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What stands in the place of the address.
const BLANK: &str = "-";
/// Longest spelling of an IPv6 address, characters.
const V6_CHARS_MAX: usize = 45;

/// One character of the text as a reader of percent-encoding sees it, and the bytes of the text that spell it.
#[derive(Clone, Copy)]
struct Unit {
    byte: u8,
    start: usize,
    end: usize,
}

/// The text without the address, or `None` when the address is not in it.
///
/// Found are the dotted form, every IPv6 spelling that can be parsed (long, compressed, upper case, mapped IPv4), in brackets or not, and
/// all of these percent-encoded, repeatedly too.
pub fn blank_address(text: &str, address: &IpAddr) -> Option<String> {
    let mut blanked = blank_once(text, address)?;
    // What stood right before an address is one too, now that its end shows. Every time the text gets shorter.
    while let Some(again) = blank_once(&blanked, address) {
        blanked = again;
    }
    Some(blanked)
}

fn blank_once(text: &str, address: &IpAddr) -> Option<String> {
    if !text.bytes().any(|b| matches!(b, b'.' | b':' | b'%')) {
        return None;
    }
    let units = decode(text.as_bytes());
    let v4 = match address {
        IpAddr::V4(v4) => Some(*v4),
        IpAddr::V6(v6) => v6.to_ipv4_mapped(),
    };
    let v6 = match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped(),
        IpAddr::V6(v6) => *v6,
    };
    let mut found = v6_spans(&units, v6);
    if let Some(v4) = v4 {
        found.extend(v4_spans(&units, v4));
    }
    (!found.is_empty()).then(|| cut(text, found))
}

/// Copies the text, with each of the byte ranges replaced.
fn cut(text: &str, mut spans: Vec<(usize, usize)>) -> String {
    spans.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    for (start, end) in spans {
        if start >= at {
            out.push_str(text.get(at..start).unwrap_or_default());
            out.push_str(BLANK);
        }
        at = at.max(end);
    }
    out.push_str(text.get(at..).unwrap_or_default());
    out
}

/// Percent-decodes, and decodes again what a decoded `%` begins.
fn decode(bytes: &[u8]) -> Vec<Unit> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut start = 0;
    while let Some(&first) = bytes.get(start) {
        let (mut byte, mut end) = (first, start + 1);
        while byte == b'%' {
            let Some(value) = hex_pair(bytes.get(end), bytes.get(end + 1)) else { break };
            (byte, end) = (value, end + 2);
        }
        units.push(Unit { byte, start, end });
        start = end;
    }
    units
}

fn hex_pair(high: Option<&u8>, low: Option<&u8>) -> Option<u8> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    u8::try_from(digit(high?)? * 16 + digit(low?)?).ok()
}

fn byte_at(units: &[Unit], index: usize) -> u8 {
    units.get(index).map_or(0, |unit| unit.byte)
}

/// Byte range of the units `[from, to)`.
fn span(units: &[Unit], from: usize, to: usize) -> Option<(usize, usize)> {
    Some((units.get(from)?.start, units.get(to.checked_sub(1)?)?.end))
}

/// Where the dotted form stands. Leading zeros are taken too.
fn v4_spans(units: &[Unit], address: Ipv4Addr) -> Vec<(usize, usize)> {
    let mut spans = Vec::new();
    for from in 0..units.len() {
        let after_digit = from > 0 && byte_at(units, from - 1).is_ascii_digit();
        if after_digit || !byte_at(units, from).is_ascii_digit() {
            continue;
        }
        if let Some(to) = match_octets(units, from, address) {
            spans.extend(span(units, from, to));
        }
    }
    spans
}

/// End of the dotted address that begins at `from`.
fn match_octets(units: &[Unit], from: usize, address: Ipv4Addr) -> Option<usize> {
    let mut at = from;
    for (index, octet) in address.octets().into_iter().enumerate() {
        if index > 0 {
            if byte_at(units, at) != b'.' {
                return None;
            }
            at += 1;
        }
        let first = at;
        let mut value = 0_u32;
        while byte_at(units, at).is_ascii_digit() && at - first < 3 {
            value = value * 10 + u32::from(byte_at(units, at) - b'0');
            at += 1;
        }
        if at == first || value != u32::from(octet) {
            return None;
        }
    }
    (!byte_at(units, at).is_ascii_digit()).then_some(at)
}

/// Where an IPv6 spelling of the address stands. Only windows whose ends can be ends of an address are parsed.
fn v6_spans(units: &[Unit], address: Ipv6Addr) -> Vec<(usize, usize)> {
    let in_address = |index: usize| matches!(byte_at(units, index), b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' | b':' | b'.');
    let mut spans = Vec::new();
    let mut from = 0;
    while from < units.len() {
        let begins = in_address(from)
            && (from == 0 || !in_address(from - 1) || byte_at(units, from - 1) == b':' || opens_group(units, from));
        if begins && let Some(to) = match_v6(units, from, address) {
            spans.extend(span(units, from, to));
            from = to;
        } else {
            from += 1;
        }
    }
    spans
}

/// Whether the next `:` is at most four digits away: letters of a word may stand right before an address.
fn opens_group(units: &[Unit], from: usize) -> bool {
    (from..from + 5).any(|index| byte_at(units, index) == b':')
}

/// End of the longest spelling of the address that begins at `from`.
fn match_v6(units: &[Unit], from: usize, address: Ipv6Addr) -> Option<usize> {
    if !could_begin(units, from, address) {
        return None;
    }
    let mut text = String::with_capacity(V6_CHARS_MAX);
    let mut end = None;
    for at in from..from + V6_CHARS_MAX {
        let byte = byte_at(units, at);
        if !byte.is_ascii_hexdigit() && byte != b':' && byte != b'.' {
            break;
        }
        text.push(char::from(byte));
        let group_ends = !byte_at(units, at + 1).is_ascii_hexdigit();
        if group_ends && text.parse::<Ipv6Addr>().is_ok_and(|parsed| parsed == address) {
            end = Some(at + 1);
        }
    }
    end
}

/// Cheap test: the spelling begins with `::` or with the value of the address's first group.
fn could_begin(units: &[Unit], from: usize, address: Ipv6Addr) -> bool {
    if byte_at(units, from) == b':' {
        return byte_at(units, from + 1) == b':';
    }
    let mut value = 0_u32;
    for at in from..from + 5 {
        let byte = byte_at(units, at);
        match char::from(byte).to_digit(16) {
            Some(digit) => value = value * 16 + digit,
            None => return byte == b':' && at > from && value == u32::from(address.segments()[0]),
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(address: &str, text: &str, expected: &str) {
        let address = address.parse().unwrap();
        let blanked = blank_address(text, &address);
        assert_eq!(blanked.as_deref().unwrap_or(text), expected, "{address} in {text:?}");
    }

    #[test]
    fn dotted() {
        let a = "192.0.2.1";
        check(a, "/ip/192.0.2.1/x", "/ip/-/x");
        check(a, "192.0.2.1", "-");
        check(a, "from 192.0.2.1.", "from -.");
        check(a, "v192.0.2.1:80,192.0.2.1", "v-:80,-");
        check(a, "192.000.002.001", "-");
        check(a, "192%2E0%2e2%2E1", "-");
        check(a, "%31%39%32.0.2.1", "-");
        check(a, "192%252E0.2.1&x=é", "-&x=é");
        check(a, "::ffff:192.0.2.1", "-");
        check(a, "[::ffff:c000:201]", "[-]");
        check(a, "192.0.2.10 1192.0.2.1 192.0.2", "192.0.2.10 1192.0.2.1 192.0.2");
        check(a, "no address", "no address");
        check(a, "100%", "100%");
    }

    #[test]
    fn colons() {
        let a = "2001:db8::1";
        check(a, "/ip/2001:db8::1/x", "/ip/-/x");
        check(a, "http://[2001:DB8::1]:80/", "http://[-]:80/");
        check(a, "2001:0db8:0000:0000:0000:0000:0000:0001", "-");
        check(a, "2001:db8:0:0:0:0:0:1.", "-.");
        check(a, "%5B2001%3adb8%3A%3a1%5D", "%5B-%5D");
        check(a, "2001%253Adb8%253A%253A1", "-");
        check(a, "2001:db8::0.0.0.1", "-");
        check(a, "code2001:db8::1", "code-");
        check(a, "a:2001:db8::1", "a:-");
        check(a, "2001:db8::12", "2001:db8::12");
        check(a, "2001:db8::2", "2001:db8::2");
        check(a, "2001:db8::1%eth0", "-%eth0");
        check("::1", "x ::1 y 0:0:0:0:0:0:0:1", "x - y -");
        check("::ffff:192.0.2.1", "192.0.2.1", "-");
        check("1:db8::1", "001:db8::11:0DB8:0::1]:443", "--]:443");
        check("2::1", "2::12::12::1", "---");
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*|[0-9a-f:.%]*", v4: u32, v6: u128) {
            let _ignored = blank_address(&text, &IpAddr::V4(v4.into()));
            let _ignored = blank_address(&text, &IpAddr::V6(v6.into()));
        }

        #[test]
        fn every_address_is_found(v6: u128, before in "[g-z/ é]*", after in "[g-z/ é]*") {
            let address = Ipv6Addr::from(v6);
            let text = format!("{before}{address}{after}");
            prop_assert_eq!(blank_address(&text, &address.into()), Some(format!("{before}-{after}")));
        }
    }
}
