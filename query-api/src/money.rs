//! Amounts of money as answers write them: `{value, currency, short, long}`.

use serde_json::{Value, json};

/// Millionths of a unit in one unit.
const UNIT: i128 = 1_000_000;
/// Currencies whose smallest coin is not a hundredth, by decimals.
const DECIMALS: [(&str, usize); 2] =
    [("BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF", 0), ("BHD IQD JOD KWD LYD OMR TND", 3)];
/// Signs of currencies as English writes them; the others stand as their code, apart from the number.
const SIGNS: [(&str, &str); 19] = [
    ("AUD", "A$"),
    ("BRL", "R$"),
    ("CAD", "CA$"),
    ("CNY", "CN¥"),
    ("EUR", "€"),
    ("GBP", "£"),
    ("HKD", "HK$"),
    ("ILS", "₪"),
    ("INR", "₹"),
    ("JPY", "¥"),
    ("KRW", "₩"),
    ("MXN", "MX$"),
    ("NZD", "NZ$"),
    ("PHP", "₱"),
    ("TWD", "NT$"),
    ("USD", "$"),
    ("VND", "₫"),
    ("XCD", "EC$"),
    ("XPF", "CFPF"),
];
/// Units of short amounts.
const MAGNITUDES: [(i128, &str); 5] = [(1, ""), (1_000, "K"), (1_000_000, "M"), (1_000_000_000, "B"), (1_000_000_000_000, "T")];

/// An amount in millionths of the currency's unit. The value has three decimals.
pub fn amount(micros: i64, currency: &str) -> Value {
    let thousandths = divide(i128::from(micros), 1_000);
    // At most 16 digits: as exact as numbers in JSON are.
    let value = thousandths as f64 / 1_000.0;
    json!({"value": value, "currency": currency, "short": short(micros, currency), "long": long(micros, currency)})
}

/// `$96.3M`.
fn short(micros: i64, currency: &str) -> String {
    let size = i128::from(micros).abs();
    let tenths = |unit: i128| divide(size * 10, unit * UNIT);
    // What rounds up to a thousand is one of the next unit.
    let magnitude = MAGNITUDES.iter().find(|(unit, _)| tenths(*unit) < 10_000).or(MAGNITUDES.last());
    let (unit, name) = magnitude.copied().unwrap_or((1, ""));
    let tenths = tenths(unit);
    signed(micros, currency, &format!("{}.{}{name}", grouped(tenths / 10), tenths % 10))
}

/// `$96,336,315.00`.
fn long(micros: i64, currency: &str) -> String {
    let decimals = DECIMALS.iter().find(|(codes, _)| codes.split(' ').any(|code| code == currency)).map_or(2, |(_, d)| *d);
    let scale = 10_i128.pow(decimals as u32);
    let coins = divide(i128::from(micros).abs() * scale, UNIT);
    let whole = grouped(coins / scale);
    let number = if decimals == 0 { whole } else { format!("{whole}.{:0decimals$}", coins % scale) };
    signed(micros, currency, &number)
}

fn signed(micros: i64, currency: &str, number: &str) -> String {
    let minus = if micros < 0 { "-" } else { "" };
    match SIGNS.iter().find(|(code, _)| *code == currency) {
        Some((_, sign)) => format!("{minus}{sign}{number}"),
        None => format!("{minus}{currency}\u{a0}{number}"),
    }
}

/// Rounded, halves to the even neighbour. The divisor is positive.
fn divide(dividend: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (dividend.div_euclid(divisor), dividend.rem_euclid(divisor));
    match (rest * 2).cmp(&divisor) {
        std::cmp::Ordering::Less => quotient,
        std::cmp::Ordering::Greater => quotient + 1,
        std::cmp::Ordering::Equal => quotient + quotient.rem_euclid(2),
    }
}

fn grouped(number: i128) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() * 4 / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_as_clients_know_them() {
        let check = |micros: i64, currency: &str, value: f64, short: &str, long: &str| {
            assert_eq!(
                amount(micros, currency),
                json!({"value": value, "currency": currency, "short": short, "long": long}),
                "{micros} {currency}"
            );
        };
        check(96_336_315_000_000, "USD", 96_336_315.0, "$96.3M", "$96,336,315.00");
        check(0, "EUR", 0.0, "€0.0", "€0.00");
        check(19_990_000, "EUR", 19.99, "€20.0", "€19.99");
        check(-19_990_000, "EUR", -19.99, "-€20.0", "-€19.99");
        check(999_940_000, "GBP", 999.94, "£999.9", "£999.94");
        check(999_960_000, "GBP", 999.96, "£1.0K", "£999.96");
        check(999_960_000_000, "USD", 999_960.0, "$1.0M", "$999,960.00");
        check(1_234_000_000, "JPY", 1_234.0, "¥1.2K", "¥1,234");
        check(1_234_567_000, "KWD", 1_234.567, "KWD\u{a0}1.2K", "KWD\u{a0}1,234.567");
        check(1_005_000, "USD", 1.005, "$1.0", "$1.00");
        check(1_015_000, "USD", 1.015, "$1.0", "$1.02");
        check(333_333, "USD", 0.333, "$0.3", "$0.33");
        check(i64::MAX, "USD", 9_223_372_036_854.775, "$9.2T", "$9,223,372,036,854.78");
        check(i64::MIN, "USD", -9_223_372_036_854.775, "-$9.2T", "-$9,223,372,036,854.78");
    }
}
