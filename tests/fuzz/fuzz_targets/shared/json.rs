//! Mutations of JSON that leave it JSON: a number becomes one at a limit, an entry goes, comes twice or stands where another stood.
//! Of the input only the first line is taken to be JSON; what follows stays.

use libfuzzer_sys::fuzzer_mutate;
use serde_json::{Value, json};

/// One in so many mutations is libFuzzer's own.
const PLAIN_EVERY: u64 = 3;

/// The mutator: the new size of what is in `data`.
pub(crate) fn mutate(data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mut random = Random(u64::from(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let input = data.get(..size).unwrap_or_default();
    let end = input.iter().position(|byte| *byte == b'\n').unwrap_or(size);
    let (first, rest) = input.split_at(end);
    if random.below(PLAIN_EVERY) > 0
        && let Ok(mut value) = serde_json::from_slice::<Value>(first)
    {
        for _ in 0..=random.below(3) {
            let donor = value.clone();
            let at = random.below(count(&value));
            change_at(&mut value, at, &donor, &mut random);
        }
        let mutated = [value.to_string().as_bytes(), rest].concat();
        if mutated.len() <= max_size && mutated != input {
            data[..mutated.len()].copy_from_slice(&mutated);
            return mutated.len();
        }
    }
    fuzzer_mutate(data, size, max_size)
}

/// Whether a number has a fraction or is too large for an integer: such may lose their last bit when they are written and read.
#[allow(dead_code, reason = "not every target compares what is read again")]
pub(crate) fn has_fraction(value: &Value) -> bool {
    matches!(value, Value::Number(number) if number.is_f64()) || children(value).into_iter().any(has_fraction)
}

/// Numbers that follow from a seed (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound.max(1)
    }
}

fn children(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        Value::Object(entries) => entries.values().collect(),
        _ => Vec::new(),
    }
}

fn count(value: &Value) -> u64 {
    1 + children(value).into_iter().map(count).sum::<u64>()
}

fn node_at(value: &Value, mut at: u64) -> &Value {
    if at == 0 {
        return value;
    }
    at -= 1;
    for child in children(value) {
        let nodes = count(child);
        if at < nodes {
            return node_at(child, at);
        }
        at -= nodes;
    }
    value
}

fn change_at(value: &mut Value, mut at: u64, donor: &Value, random: &mut Random) {
    if at == 0 {
        return change(value, donor, random);
    }
    at -= 1;
    let children: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(entries) => entries.values_mut().collect(),
        _ => Vec::new(),
    };
    for child in children {
        let nodes = count(child);
        if at < nodes {
            return change_at(child, at, donor, random);
        }
        at -= nodes;
    }
}

fn change(value: &mut Value, donor: &Value, random: &mut Random) {
    if random.below(12) == 0 {
        *value = node_at(donor, random.below(count(donor))).clone();
        return;
    }
    match value {
        Value::Null => *value = json!(random.below(3)),
        Value::Bool(flag) => *flag = !*flag,
        Value::Number(number) => {
            let (small, large) = (number.as_i64().unwrap_or(0), number.as_u64().unwrap_or(0));
            *value = match random.below(10) {
                0 => json!(0),
                1 => json!(-1),
                2 => json!(u32::MAX),
                3 => json!(i64::MAX),
                4 => json!(u64::MAX),
                5 => json!(u64::MAX / 2),
                6 => json!(large.wrapping_add(1)),
                7 => json!(small.wrapping_sub(1)),
                8 => json!(large.wrapping_mul(2)),
                _ => json!(random.below(1 << 20)),
            };
        }
        Value::String(text) => {
            let (mut bytes, size) = (text.clone().into_bytes(), text.len());
            bytes.resize(size + 16, 0);
            let max_size = bytes.len();
            let size = fuzzer_mutate(&mut bytes, size, max_size);
            bytes.truncate(size);
            *text = String::from_utf8_lossy(&bytes).into_owned();
        }
        Value::Array(items) => {
            let at = random.below(items.len() as u64) as usize;
            match (items.get(at).cloned(), random.below(4)) {
                (Some(item), 0) => items.push(item),
                (Some(_), 1) => drop(items.remove(at)),
                (Some(_), 2) => items.rotate_left(at),
                _ => items.push(node_at(donor, random.below(count(donor))).clone()),
            }
        }
        Value::Object(entries) => {
            let key = entries.keys().nth(random.below(entries.len() as u64) as usize).cloned();
            let other = node_at(donor, random.below(count(donor)));
            match (key, random.below(3)) {
                (Some(key), 0) => drop(entries.remove(&key)),
                (Some(key), 1) => drop(entries.insert(key, other.clone())),
                _ => {
                    // What another object has that this one has not.
                    let missing = other.as_object().and_then(|other| other.iter().find(|(key, _)| !entries.contains_key(*key)));
                    if let Some((key, entry)) = missing {
                        entries.insert(key.clone(), entry.clone());
                    }
                }
            }
        }
    }
}
