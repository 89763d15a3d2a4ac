//! The page an event names: host, path and the query parameters that are kept.

use url::{ParseError, Url};

use super::URL_BYTES_MAX;
use super::fields::clean;

/// Host of pages that have none.
const NO_HOST: &str = "(none)";
/// Parameters whose name (never the value) is kept, the first found.
const CLICK_IDS: [&str; 6] = ["gclid", "gbraid", "wbraid", "msclkid", "fbclid", "twclid"];

/// What is kept of a page address.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) hostname: String,
    pub(super) pathname: String,
    pub(super) utm_source: String,
    pub(super) utm_medium: String,
    pub(super) utm_campaign: String,
    pub(super) utm_content: String,
    pub(super) utm_term: String,
    pub(super) click_id: String,
}

/// Reads a page address; the error is the message for the field `url`.
pub(super) fn parse(text: &str, hash_routing: bool) -> Result<Page, String> {
    if text.len() > URL_BYTES_MAX {
        return Err(format!("should be at most {URL_BYTES_MAX} byte(s)"));
    }
    let text = clean(text);
    let url = match Url::parse(&text) {
        // An address without scheme or host is a page nevertheless; the base only lends its syntax.
        Err(ParseError::RelativeUrlWithoutBase) => Url::parse("weir:///").and_then(|base| base.join(&text)),
        parsed => parsed,
    }
    .map_err(|_| "must be a valid url")?;
    if url.scheme() == "data" {
        return Err("scheme is not allowed".to_owned());
    }
    let host = url.host_str().unwrap_or_default().to_lowercase();
    let host = host.strip_prefix("www.").unwrap_or(&host);
    let mut page = Page {
        hostname: if host.is_empty() { NO_HOST.to_owned() } else { host.to_owned() },
        pathname: pathname(&url, hash_routing),
        ..Page::default()
    };
    read_query(&url, &mut page);
    Ok(page)
}

fn pathname(url: &Url, hash_routing: bool) -> String {
    let mut path = clean(&percent_decode(url.path()));
    path.truncate(path.trim_end().len());
    if !path.starts_with('/') {
        path.insert(0, '/');
    }
    if hash_routing && let Some(fragment) = url.fragment() {
        path.push('#');
        path.push_str(&clean(&percent_decode(fragment)));
    }
    path
}

fn read_query(url: &Url, page: &mut Page) {
    let mut sources: [String; 3] = Default::default();
    let [utm_source, source, reference] = &mut sources;
    let mut click_id = None;
    for (key, value) in url.query_pairs() {
        let field = match key.as_ref() {
            "utm_source" => &mut *utm_source,
            "source" => &mut *source,
            "ref" => &mut *reference,
            "utm_medium" => &mut page.utm_medium,
            "utm_campaign" => &mut page.utm_campaign,
            "utm_content" => &mut page.utm_content,
            "utm_term" => &mut page.utm_term,
            other => {
                let rank = CLICK_IDS.iter().position(|name| *name == other);
                click_id = [click_id, rank].into_iter().flatten().min();
                continue;
            }
        };
        if field.is_empty() {
            value.trim().clone_into(field);
            if field.contains('\0') {
                *field = clean(field);
            }
        }
    }
    page.utm_source = sources.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    page.click_id = click_id.and_then(|rank| CLICK_IDS.get(rank)).map(|name| (*name).to_owned()).unwrap_or_default();
}

/// Percent-decoded, with what is no UTF-8 replaced.
fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte == b'%'
            && let [high, low, tail @ ..] = rest
            && let (Some(high), Some(low)) = (char::from(*high).to_digit(16), char::from(*low).to_digit(16))
        {
            bytes.push((high * 16 + low) as u8);
            rest = tail;
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_paths() {
        let check = |url: &str, host: &str, path: &str| {
            let page = parse(url, false).unwrap();
            assert_eq!((page.hostname.as_str(), page.pathname.as_str()), (host, path), "{url}");
        };
        check("https://www.Shop.example/a/b?x=1#y", "shop.example", "/a/b");
        check("https://shop.example", "shop.example", "/");
        check("https://shop.example/caf%C3%A9%20", "shop.example", "/café");
        check("https://shop.example/ü", "shop.example", "/ü");
        check("https://shop.example/blog/", "shop.example", "/blog/");
        check("https://shop.example:8443/a", "shop.example", "/a");
        check("https://user:pw@shop.example/a", "shop.example", "/a");
        check("https://shop.example/%00%ff", "shop.example", "/\u{fffd}");
        check("https://[2001:db8::1]/", "[2001:db8::1]", "/");
        check("/only/path?utm_source=x", "(none)", "/only/path");
        check("path", "(none)", "/path");
        check("//shop.example/x", "shop.example", "/x");
        check("app://localhost/screen", "localhost", "/screen");
        check("mailto:someone", "(none)", "/someone");
        check("file:///home/x.html", "(none)", "/home/x.html");
        check("https://www.www.example/", "www.example", "/");
    }

    #[test]
    fn hash_routing_keeps_the_fragment() {
        assert_eq!(parse("https://a.example/x#/route%20a", true).unwrap().pathname, "/x#/route a");
        assert_eq!(parse("https://a.example/x", true).unwrap().pathname, "/x");
        assert_eq!(parse("https://a.example/x#y", false).unwrap().pathname, "/x");
    }

    #[test]
    fn refused() {
        let check = |url: &str, message: &str| assert_eq!(parse(url, false).unwrap_err(), message, "{url}");
        check("data:text/html,x", "scheme is not allowed");
        check("DATA:text/html,x", "scheme is not allowed");
        check("https://", "must be a valid url");
        check("http://a b/", "must be a valid url");
        check(&format!("https://a.example/{}", "x".repeat(2_000)), "should be at most 2000 byte(s)");
    }

    #[test]
    fn query_parameters() {
        let page = |query: &str| parse(&format!("https://a.example/?{query}"), false).unwrap();
        let full = page("utm_source=news+letter&utm_medium=e%2Dmail&utm_campaign=c&utm_content=d&utm_term=t&secret=1");
        let texts = [full.utm_source, full.utm_medium, full.utm_campaign, full.utm_content, full.utm_term];
        assert_eq!(texts, ["news letter", "e-mail", "c", "d", "t"]);
        assert_eq!(page("ref=r&source=s").utm_source, "s");
        assert_eq!(page("ref=r").utm_source, "r");
        assert_eq!(page("utm_source=&source=s").utm_source, "s");
        assert_eq!(page("utm_source=a&utm_source=b").utm_source, "a");
        assert_eq!(page("fbclid=1&gclid=2").click_id, "gclid");
        assert_eq!(page("twclid").click_id, "twclid");
        assert_eq!(page("xclid=1"), Page { hostname: "a.example".into(), pathname: "/".into(), ..Page::default() });
    }
}
