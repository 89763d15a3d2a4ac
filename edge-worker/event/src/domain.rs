//! Domains as sites are named by them: one spelling for each.

/// Longest domain of a site, bytes (the longest name DNS allows).
pub const DOMAIN_BYTES_MAX: usize = 253;

/// The one spelling of a domain: trimmed, lower case, without leading `www.`, international names in their ASCII form. `None` when blank
/// or too long. It need not exist in DNS: `data-domain` may be any name that the site was added under.
pub fn normalise_domain(domain: &str) -> Option<String> {
    let cleaned: String = domain.chars().filter(|c| *c != '\0').flat_map(char::to_lowercase).collect();
    let cleaned = cleaned.trim();
    let cleaned = cleaned.strip_prefix("www.").unwrap_or(cleaned).trim_start();
    let ascii = if cleaned.is_ascii() {
        cleaned.to_owned()
    } else {
        match url::Host::parse(cleaned) {
            Ok(url::Host::Domain(ascii)) => ascii,
            _ => cleaned.to_owned(),
        }
    };
    (!ascii.is_empty() && ascii.len() <= DOMAIN_BYTES_MAX).then_some(ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_one_spelling() {
        let check = |input: &str, expected: Option<&str>| assert_eq!(normalise_domain(input).as_deref(), expected, "{input:?}");
        check("shop.example", Some("shop.example"));
        check("  WWW.Shop.Example ", Some("shop.example"));
        check("shop.example/blog", Some("shop.example/blog"));
        check("Müller.example", Some("xn--mller-kva.example"));
        check("www.", None);
        check(" \t", None);
        check("a\0b.example", Some("ab.example"));
        check("\0 www.shop.example \0", Some("shop.example"));
        check("www.  www.x", Some("www.x"));
        check(&"a".repeat(254), None);
        check("ü /x", Some("ü /x"));
    }
}
