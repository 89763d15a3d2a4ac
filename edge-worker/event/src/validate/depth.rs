//! How deep a JSON text nests, found without parsing it.

/// Whether arrays and objects nest deeper than `limit`. Brackets inside strings do not count.
pub(super) fn deeper_than(text: &str, limit: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in text.bytes() {
        if escaped {
            escaped = false;
            continue;
        }
        match byte {
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' | b'{' if !in_string => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_what_is_open() {
        let check = |text: &str, limit, expected| assert_eq!(deeper_than(text, limit), expected, "{text}");
        check("[[1],[2],[3]]", 2, false);
        check("[[[1]]]", 2, true);
        check(r#"{"a":"[[[[\"[[["}"#, 1, false);
        check(r#"["\\",[1]]"#, 1, true);
        check("]]]]", 0, false);
        check("", 0, false);
    }
}
