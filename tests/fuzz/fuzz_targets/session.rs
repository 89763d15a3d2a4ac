//! Tokens of sessions, and salts at rest: what was made opens as what it was, and nothing else opens.
#![no_main]

use libfuzzer_sys::fuzz_target;

#[allow(dead_code, reason = "only its parser is called here")]
#[path = "../../../query-api/src/control/token.rs"]
mod token;

#[allow(dead_code, reason = "only its parser is called here")]
#[path = "../../../edge-worker/src/directory/seal.rs"]
mod seal;

#[allow(dead_code, reason = "only its parser is called here")]
#[path = "../../../edge-worker/src/directory/salts.rs"]
mod salts;

use token::Subject;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const SALT: &str = "07ab";

fuzz_target!(|data: &[u8]| {
    // Made up: no input has the signature of a secret that it does not have.
    let text = String::from_utf8_lossy(data);
    assert_eq!(token::open(SECRET, &text, 0), None, "{text:?}");
    assert_eq!(seal::open(SECRET, "2026-11-22", data), None);
    if let Some(salt) = salts::parse(&text) {
        assert_eq!(salts::parse(&salts::format(&salt)), Some(salt));
        assert!(salts::format(&salt).eq_ignore_ascii_case(text.trim()));
    }

    // Made by us, as numbers and texts of the input say: eight bytes each, then a mark of hex digits, then what is changed of it.
    let Some((numbers, rest)) = data.split_first_chunk::<22>() else { return };
    let number = |at: usize| numbers[at..at + 8].iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let (link_id, expires_s, site_id) = (number(0), number(8), number(8) as u32 ^ number(0) as u32);
    let mark: String = rest.iter().take(16).map(|byte| char::from(b"0123456789abcdef-"[usize::from(byte % 17)])).collect();
    let subject = if numbers[16] % 2 == 0 { Subject::Key(mark) } else { Subject::Link { site_id, link_id, mark } };
    let made = token::seal(SECRET, &subject, expires_s);
    let now_s = expires_s.saturating_sub(1);
    assert_eq!(token::open(SECRET, &made, now_s), (now_s < expires_s).then_some(subject));
    assert_eq!(token::open(SECRET, &made, expires_s), None, "it is over");
    assert_eq!(token::open("another", &made, now_s), None);

    let (at, with) = (usize::from(numbers[17]) << 8 | usize::from(numbers[18]), numbers[19]);
    let mut changed = made.clone().into_bytes();
    let at = at % changed.len();
    match numbers[20] % 3 {
        0 => changed[at] = with,
        1 => changed.insert(at, with),
        _ => drop(changed.remove(at)),
    }
    // The case of the signature's digits means nothing.
    let changed = String::from_utf8_lossy(&changed);
    let content = made.len() - 64;
    let is_same =
        changed.len() == made.len() && changed.get(..content) == made.get(..content) && changed.eq_ignore_ascii_case(&made);
    assert_eq!(token::open(SECRET, &changed, now_s).is_some(), is_same && now_s < expires_s, "{made} became {changed}");

    let nonce = [numbers[21]; seal::NONCE_BYTES];
    let mut sealed = seal::seal(SECRET, "2026-11-22", SALT, nonce).expect("a text can be sealed");
    assert_eq!(seal::open(SECRET, "2026-11-22", &sealed).as_deref(), Some(SALT));
    assert_eq!(seal::open(SECRET, "2026-11-23", &sealed), None);
    let at = at % sealed.len();
    sealed[at] ^= with.max(1);
    assert_eq!(seal::open(SECRET, "2026-11-22", &sealed), None);
});
