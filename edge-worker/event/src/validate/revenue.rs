//! Money that an event carries: exact decimal millionths, never floating point.

use serde_json::{Map, Value};

use crate::model::Revenue;

/// Longest text of an amount, bytes.
const AMOUNT_BYTES_MAX: usize = 64;
/// Decimal places kept.
const PLACES: i32 = 6;

/// ISO 4217 codes in use.
const CURRENCIES: &str = "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF \
CLF CLP CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS INR \
IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN \
NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL \
THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL";

/// The revenue, or `None` when currency or amount is not valid: then the event is kept without it.
pub(super) fn parse(map: &Map<String, Value>) -> Option<Revenue> {
    let currency = map.get("currency")?.as_str()?.trim().to_ascii_uppercase();
    if currency.len() != 3 || !CURRENCIES.split_ascii_whitespace().any(|code| code == currency) {
        return None;
    }
    let amount_micros = match map.get("amount")? {
        Value::String(text) => micros(text.trim())?,
        Value::Number(number) => micros(&number.to_string())?,
        _ => return None,
    };
    Some(Revenue { currency, amount_micros })
}

/// Millionths of a decimal number like `-12.345` or `1.2e3`; further places are rounded half away from zero.
fn micros(text: &str) -> Option<i64> {
    if text.len() > AMOUNT_BYTES_MAX {
        return None;
    }
    let (negative, text) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|e| (-64..=64).contains(e))?),
        None => (text, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    // The value is `digits × 10^(exponent − places of the fraction)`; `shift` of its digits stand left of the millionths' point.
    let shift = i32::try_from(whole.len()).ok()? + exponent + PLACES;
    let mut value: i64 = 0;
    let mut round_up = false;
    let mut position = 0;
    for byte in whole.bytes().chain(fraction.bytes()) {
        let digit = i64::from(char::from(byte).to_digit(10)?);
        if position < shift {
            value = value.checked_mul(10)?.checked_add(digit)?;
        } else if position == shift {
            round_up = digit >= 5;
        }
        position += 1;
    }
    while position < shift && value != 0 {
        value = value.checked_mul(10)?;
        position += 1;
    }
    value = value.checked_add(i64::from(round_up))?;
    Some(if negative { -value } else { value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn amounts_are_exact() {
        let check = |text: &str, expected: Option<i64>| assert_eq!(micros(text), expected, "{text}");
        check("19.99", Some(19_990_000));
        check("0.1", Some(100_000));
        check("-5", Some(-5_000_000));
        check("+.5", Some(500_000));
        check("7.", Some(7_000_000));
        check("1e3", Some(1_000_000_000));
        check("1.25E-2", Some(12_500));
        check("0.0000005", Some(1));
        check("0.0000004999", Some(0));
        check("0.00000051e1", Some(5));
        check("9e-9", Some(0));
        check("5e-7", Some(1));
        check("9223372036854.775807", Some(i64::MAX));
        check("9223372036854.775808", None);
        check("0e64", Some(0));
        check("1e65", None);
        check("1e64", None);
        check("", None);
        check(".", None);
        check("-", None);
        check("1,5", None);
        check("1.2.3", None);
        check("NaN", None);
        check("٣", None);
        check(&"1".repeat(65), None);
    }

    #[test]
    fn currencies() {
        let check = |value: Value, expected: Option<(&str, i64)>| {
            let parsed = parse(value.as_object().unwrap());
            assert_eq!(parsed.as_ref().map(|r| (r.currency.as_str(), r.amount_micros)), expected, "{value}");
        };
        check(json!({"currency": "eur", "amount": "10.50"}), Some(("EUR", 10_500_000)));
        check(json!({"currency": "USD", "amount": 1322.22}), Some(("USD", 1_322_220_000)));
        check(json!({"currency": "USD", "amount": 5}), Some(("USD", 5_000_000)));
        check(json!({"currency": "USD", "amount": 0.1}), Some(("USD", 100_000)));
        check(json!({"currency": "XXX", "amount": 5}), None);
        check(json!({"currency": "USD EUR", "amount": 5}), None);
        check(json!({"currency": "USD"}), None);
        check(json!({"currency": 1, "amount": 5}), None);
        check(json!({"currency": "USD", "amount": true}), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".*|[-+0-9.eE]*") {
            let _ignored = micros(&text);
        }

        #[test]
        fn what_is_written_is_read(value: i64) {
            prop_assume!(value != i64::MIN);
            let magnitude = value.unsigned_abs();
            let sign = if value < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:06}", magnitude / 1_000_000, magnitude % 1_000_000);
            prop_assert_eq!(micros(&text), Some(value));
        }
    }
}
