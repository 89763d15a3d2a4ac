//! A raw referrer taken apart: host and path.

/// Host and path of a referrer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Referrer {
    /// Lower case, without `www.`, port and user.
    pub(super) host: String,
    /// Without query, fragment and trailing slashes.
    path: String,
    /// The host is an app's package name.
    pub(super) is_app: bool,
}

impl Referrer {
    pub(super) fn text(&self) -> String {
        format!("{}{}", self.host, self.path)
    }

    /// The referrer is a page of the same site: the same host, or one is a sub-domain of the other.
    pub(super) fn is_internal(&self, hostname: &str) -> bool {
        let hostname = plain_host(hostname);
        self.host == hostname || below(&self.host, &hostname) || below(&hostname, &self.host)
    }
}

/// Takes a referrer apart; `None` when it has no host or is no web or app address.
pub(super) fn parse(raw: &str) -> Option<Referrer> {
    let (scheme, rest) = raw.trim().split_once("://")?;
    let is_one_of = |schemes: [&str; 2]| schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let is_app = is_one_of(["android-app", "ios-app"]);
    if !is_app && !is_one_of(["http", "https"]) {
        return None;
    }
    let rest = rest.split(['?', '#']).next()?;
    let (authority, path) = rest.split_at_checked(rest.find(['/', '\\']).unwrap_or(rest.len()))?;
    let host_and_port = authority.rsplit('@').next()?;
    let host = plain_host(without_port(host_and_port));
    let acceptable = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    if host.is_empty() || !host.chars().all(acceptable) {
        return None;
    }
    Some(Referrer { host, path: path.trim_end_matches('/').to_owned(), is_app })
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

/// Lower case, without `www.` and the dot of the root.
fn plain_host(host: &str) -> String {
    let host = host.trim_end_matches('.').to_lowercase();
    host.strip_prefix("www.").map_or(host.clone(), str::to_owned)
}

fn below(host: &str, parent: &str) -> bool {
    parent.contains('.') && host.strip_suffix(parent).is_some_and(|labels| labels.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn referrers_are_taken_apart() {
        let check = |raw: &str, expected: Option<&str>| {
            assert_eq!(parse(raw).map(|referrer| referrer.text()).as_deref(), expected, "{raw}");
        };
        check("https://www.Example.com/", Some("example.com"));
        check("https://example.com/Path/Page/?q=1#x", Some("example.com/Path/Page"));
        check("http://user:secret@example.com:8080/a", Some("example.com/a"));
        check("HTTPS://example.com", Some("example.com"));
        check("https://example.com?x=/y", Some("example.com"));
        check("https://bücher.example./ä", Some("bücher.example/ä"));
        check("http://[2001:db8::1]:80/a", Some("[2001:db8::1]/a"));
        check("android-app://com.google.android.gm/", Some("com.google.android.gm"));
        check("", None);
        check("-", None);
        check("example.com/a", None);
        check("about:blank", None);
        check("ftp://example.com/", None);
        check("https:///path", None);
        check("https://a b/c", None);
        check("https://www./", Some("www"));
    }

    #[test]
    fn own_pages_are_internal() {
        let check = |raw: &str, hostname: &str, expected: bool| {
            assert_eq!(parse(raw).unwrap().is_internal(hostname), expected, "{raw} on {hostname}");
        };
        check("https://www.shop.example/a", "shop.example", true);
        check("https://shop.example/a", "www.shop.example", true);
        check("https://blog.shop.example/a", "shop.example", true);
        check("https://shop.example/a", "blog.shop.example", true);
        check("https://workshop.example/a", "shop.example", false);
        check("https://a.example/", "b.example", false);
        check("https://example/", "b.example", false);
        check("http://localhost:3000/", "localhost", true);
        check("https://shop.example/a", "(none)", false);
        check("https://shop.example/a", "", false);
    }
}
