//! What makes sense next, by how the newest replay stands. Pure.

use serde_json::Value;

/// The actions to offer; `status` is the replay's, null when there never was one.
pub fn offered(status: &Value) -> Vec<&'static str> {
    let partitions = status["partitions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let can_roll_back = partitions.iter().any(|one| one["rollback_offered"] == true);
    match status["phase"].as_str() {
        Some("building") => vec!["run", "diff", "discard"],
        Some("built") => vec!["run", "diff", "promote", "discard"],
        Some("promoting") => vec!["promote"],
        Some("promoted") if can_roll_back => vec!["rollback", "discard", "plan", "run"],
        Some("rolling_back") => vec!["rollback"],
        _ => vec!["plan", "run"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_phase_has_a_next_step() {
        let status = |phase: &str, offered: bool| json!({"phase": phase, "partitions": [{"rollback_offered": offered}]});
        for (status, expected) in [
            (Value::Null, "plan run"),
            (status("building", false), "run diff discard"),
            (status("built", false), "run diff promote discard"),
            (status("promoting", true), "promote"),
            (status("promoted", true), "rollback discard plan run"),
            (status("promoted", false), "plan run"),
            (status("rolling_back", true), "rollback"),
            (status("rolled_back", false), "plan run"),
            (status("discarded", false), "plan run"),
        ] {
            assert_eq!(offered(&status).join(" "), expected, "{status}");
        }
    }
}
