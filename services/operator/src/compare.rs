//! Whether what is there is what is wanted. Server-side apply would find out too, but at the price of a write.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// Keys by which the items of a list are told apart, as the API server does.
const ITEM_KEYS: [&str; 4] = ["name", "type", "uid", "key"];

/// Whether everything that `wanted` says is so in `found`. What `found` has beside it, others may have put there.
pub fn is_within(wanted: &Value, found: &Value) -> bool {
    match (wanted, found) {
        (Value::Object(wanted), Value::Object(found)) => {
            wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| is_within(value, found)))
        }
        (Value::Array(wanted), Value::Array(found)) => match item_key(wanted) {
            Some(key) => wanted.iter().all(|item| {
                let same = found.iter().find(|found| found.get(key) == item.get(key));
                same.is_some_and(|found| is_within(item, found))
            }),
            None => {
                wanted.len() == found.len()
                    && wanted.iter().zip(found).all(|(wanted, found)| is_within(wanted, found))
            }
        },
        (wanted, found) => wanted == found,
    }
}

/// The key that every item has, each with a value of its own.
fn item_key(items: &[Value]) -> Option<&'static str> {
    ITEM_KEYS.into_iter().find(|key| {
        let values: Vec<_> = items.iter().filter_map(|item| item.get(key)?.as_str()).collect();
        let mut unique = values.clone();
        unique.sort_unstable();
        unique.dedup();
        !items.is_empty() && values.len() == items.len() && unique.len() == items.len()
    })
}

/// A digest of what is wanted: it differs too where something is wanted no longer.
pub fn digest(wanted: &Value) -> String {
    // Keys of objects are in order: serde_json keeps maps sorted.
    let hash = Sha256::digest(wanted.to_string());
    hex::encode(hash.get(..16).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_others_add_is_no_difference_and_what_they_change_is() {
        let wanted = json!({"spec": {"replicas": 1, "containers": [{"name": "function", "image": "a"}]}});
        let mut found = json!({"spec": {"replicas": 1, "paused": false, "containers": [
            {"name": "sidecar", "image": "x"}, {"name": "function", "image": "a", "tty": false}]}});
        assert!(is_within(&wanted, &found));
        found["spec"]["containers"][1]["image"] = json!("b");
        assert!(!is_within(&wanted, &found));
        assert!(!is_within(&json!({"a": [1, 2]}), &json!({"a": [1, 2, 3]})), "a list of values is whole");
    }

    #[test]
    fn a_field_that_is_wanted_no_longer_changes_the_digest() {
        let (more, less) = (json!({"a": 1, "b": 2}), json!({"a": 1}));
        assert!(is_within(&less, &more));
        assert_ne!(digest(&less), digest(&more));
        assert_eq!(digest(&json!({"b": 2, "a": 1})), digest(&more), "the order of keys does not matter");
    }
}
