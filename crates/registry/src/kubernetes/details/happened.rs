//! Which events are about a function, and which of them are shown: pure.

use eventflow_crd::names;
use eventflow_domain::function::FunctionEvent;
use eventflow_domain::{Function, Readiness};
use eventflow_kubernetes::Told;
use std::collections::HashMap;
use std::sync::Arc;

/// Kubernetes cuts longer names of pods, before it adds their last characters.
const LONGEST: usize = 63;
/// Characters that make a pod's name its own.
const OWN: usize = 5;

/// Whether an event is about the function or an object of it. Events name objects, not owners: an object is the
/// function's by its name, which the operator and the dispatchers make of the function's.
pub(super) fn is_of(told: &Told, function: &Function) -> bool {
    let name = &function.key.name;
    if told.kind == "Function" {
        return told.name == name.as_str() && told.uid == function.uid.to_string();
    }
    // Of an earlier function of this name.
    if told.at < function.created_at {
        return false;
    }
    let Some(rest) = told.name.strip_prefix(&names::child(name)) else { return false };
    match told.kind.as_str() {
        "ReplicaSet" => rest.strip_prefix('-').is_some_and(is_hash),
        "Job" => rest.strip_prefix('-').is_some_and(is_attempt),
        "Pod" => rest.strip_prefix('-').is_some_and(|rest| is_pod(rest, told.name.len())),
        "ControllerRevision" => rest.strip_prefix('-').is_some_and(|rest| rest.parse::<u32>().is_ok()),
        // The Deployment, the Service, the autoscaler and the network policies.
        _ => rest.is_empty() || rest == ".job",
    }
}

/// Of a pod template.
fn is_hash(text: &str) -> bool {
    (1..=10).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
}

/// The last 12 digits of an invocation's id and an attempt's number.
fn is_attempt(text: &str) -> bool {
    let Some((id, attempt)) = text.split_once('-') else { return false };
    id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && attempt.parse::<u32>().is_ok()
}

fn is_pod(rest: &str, length: usize) -> bool {
    if let Some((of, own)) = rest.rsplit_once('-')
        && own.len() == OWN
        && (is_hash(of) || is_attempt(of))
    {
        return true;
    }
    // What was cut is not there to be compared.
    length == LONGEST && rest.len() > OWN
}

/// The newest first, each once. Where there are more than are shown, half of the places are for warnings: every call
/// that becomes a Job tells half a dozen times that all is well.
pub(super) fn newest(told: Vec<Arc<Told>>) -> Vec<FunctionEvent> {
    let mut events = merged(told);
    events.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.object.cmp(&b.object)));
    let (mut warnings, mut others) = (0, 0);
    let all_warnings = events.iter().filter(|event| event.warning).count();
    let for_warnings = all_warnings.min(Readiness::MOST_EVENTS / 2);
    let for_others = Readiness::MOST_EVENTS - for_warnings;
    let for_warnings = Readiness::MOST_EVENTS - (events.len() - all_warnings).min(for_others);
    events.retain(|event| {
        let (count, most) =
            if event.warning { (&mut warnings, for_warnings) } else { (&mut others, for_others) };
        *count += 1;
        *count <= most
    });
    events
}

/// The same said again of the same object is one event.
fn merged(told: Vec<Arc<Told>>) -> Vec<FunctionEvent> {
    let mut merged: HashMap<(String, String, String), FunctionEvent> = HashMap::new();
    for told in told {
        let object = format!("{}/{}", told.kind, told.name);
        let same = (object.clone(), told.reason.clone(), told.message.clone());
        let new = FunctionEvent {
            warning: told.warning,
            reason: told.reason.clone(),
            message: told.message.clone(),
            object,
            count: 0,
            at: told.at,
        };
        let event = merged.entry(same).or_insert(new);
        event.count = event.count.saturating_add(told.count);
        event.at = event.at.max(told.at);
    }
    merged.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::Timestamp;
    use eventflow_testkit::FunctionBuilder;

    fn told(kind: &str, name: &str) -> Told {
        Told {
            kind: kind.to_owned(),
            name: name.to_owned(),
            uid: String::new(),
            warning: false,
            reason: "Killing".to_owned(),
            message: String::new(),
            count: 1,
            at: Timestamp::from_millis(i64::MAX / 1000),
        }
    }

    #[test]
    fn objects_are_told_apart_by_kind_and_name() {
        let function = FunctionBuilder::new("a-b").build();
        for (kind, name, is_its) in [
            ("Deployment", "fn-a-b", true),
            ("HorizontalPodAutoscaler", "fn-a-b", true),
            ("NetworkPolicy", "fn-a-b.job", true),
            ("ReplicaSet", "fn-a-b-7d9f6c8b54", true),
            ("Pod", "fn-a-b-7d9f6c8b54-x2x4z", true),
            ("Job", "fn-a-b-0123456789ab-12", true),
            ("Pod", "fn-a-b-0123456789ab-1-x2x4z", true),
            ("Deployment", "a-b", false),
            ("Deployment", "fn-a", false),
            ("Deployment", "fn-a-b-c", false),
            ("Deployment", "fn-a-bc", false),
            ("ReplicaSet", "fn-a-b-c-7d9f6c8b54", false),
            ("Pod", "fn-a-b-c-7d9f6c8b54-x2x4z", false),
            ("Job", "fn-a-b-c-0123456789ab-1", false),
            ("Pod", "fn-a-b-c-0123456789ab-1-x2x4z", false),
            ("Pod", "fn-a-b", false),
            ("Pod", "somebody-elses", false),
        ] {
            assert_eq!(is_of(&told(kind, name), &function), is_its, "{kind} {name}");
        }
    }

    #[test]
    fn pods_whose_names_were_cut_are_known() {
        let name = "a".repeat(44);
        let function = FunctionBuilder::new(&name).build();
        let base = format!("fn-{name}-");
        for of in ["7d9f6c8b54", "0123456789"] {
            let pod = format!("{base}{of}x2x4z");
            assert_eq!(pod.len(), LONGEST);
            assert!(is_of(&told("Pod", &pod), &function), "{pod}");
        }
    }

    #[test]
    fn an_earlier_function_of_this_name_has_its_own_events() {
        let function = FunctionBuilder::new("f").build();
        let of = |uid: String| Told { uid, ..told("Function", "f") };
        assert!(is_of(&of(function.uid.to_string()), &function));
        assert!(!is_of(&of("another".to_owned()), &function));
        let before = Told {
            at: function.created_at - std::time::Duration::from_secs(1),
            ..told("Deployment", "fn-f")
        };
        assert!(!is_of(&before, &function));
    }

    fn at(second: i64, warning: bool, message: &str) -> Arc<Told> {
        let at = Timestamp::from_millis(second * 1000);
        Arc::new(Told { at, warning, message: message.to_owned(), ..told("Pod", "fn-f-1") })
    }

    #[test]
    fn the_same_again_is_one_event_with_both_counts_and_the_later_time() {
        let twice = Arc::new(Told { count: 4, ..Told::clone(&at(9, true, "back-off")) });
        let shown = newest(vec![at(5, true, "back-off"), twice, at(7, false, "pulled")]);
        let told: Vec<_> =
            shown.iter().map(|event| (event.message.as_str(), event.count, event.at.as_millis())).collect();
        assert_eq!(told, [("back-off", 5, 9000), ("pulled", 1, 7000)]);
        assert_eq!(shown[0].object, "Pod/fn-f-1");
    }

    #[test]
    fn a_flood_of_good_news_does_not_hide_warnings_and_the_other_way_round() {
        let shown = |good: i64, bad: i64| {
            let good = (0..good).map(|number| at(1000 + number, false, &format!("good {number}")));
            let bad = (0..bad).map(|number| at(number, true, &format!("bad {number}")));
            let shown = newest(good.chain(bad).collect());
            assert!(shown.is_sorted_by(|a, b| a.at >= b.at), "newest first");
            let warnings = shown.iter().filter(|event| event.warning).count();
            (shown.len() - warnings, warnings)
        };
        assert_eq!(shown(500, 3), (47, 3));
        assert_eq!(shown(500, 500), (25, 25));
        assert_eq!(shown(3, 500), (3, 47));
        assert_eq!(shown(20, 30), (20, 30));
        assert_eq!(shown(2, 1), (2, 1));
    }
}
