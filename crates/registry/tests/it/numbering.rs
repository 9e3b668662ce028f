//! Whatever is declared in whatever order: version numbers of a name strictly increase, and the etag changes exactly
//! when something declared did.

use eventflow_domain::Function;
use eventflow_domain::ports::{Apply, FunctionRegistry, FunctionStore};
use eventflow_registry::SqlRegistry;
use eventflow_testkit::contract::registry::{apply, variant};
use eventflow_testkit::fakes::MemoryFunctions;
use eventflow_testkit::{ManualClock, key};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;

#[derive(Debug, Clone)]
enum Op {
    Apply { name: u8, code: u8, policy: u8, dry_run: bool },
    Pause { name: u8, paused: bool },
    Delete { name: u8 },
    Restart,
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..2u8;
    prop_oneof![
        6 => (name.clone(), 0..3u8, 0..2u8, prop::bool::weighted(0.1))
            .prop_map(|(name, code, policy, dry_run)| Op::Apply { name, code, policy, dry_run }),
        2 => (name.clone(), any::<bool>()).prop_map(|(name, paused)| Op::Pause { name, paused }),
        1 => name.prop_map(|name| Op::Delete { name }),
        1 => Just(Op::Restart),
    ]
}

fn name(number: u8) -> String {
    format!("f{number}")
}

/// What is declared of a function, without what is counted.
fn declared(function: &Function) -> impl PartialEq + std::fmt::Debug + use<> {
    (function.uid, Arc::clone(&function.spec), function.paused)
}

async fn open(store: &Arc<MemoryFunctions>) -> SqlRegistry {
    let store = Arc::clone(store) as Arc<dyn FunctionStore>;
    SqlRegistry::open(store, Arc::new(ManualClock::default())).await.expect("open")
}

async fn step(registry: SqlRegistry, store: &Arc<MemoryFunctions>, op: Op) -> SqlRegistry {
    match op {
        Op::Apply { name: number, code, policy, dry_run } => {
            let apply = Apply { dry_run, ..apply(&name(number), variant(code, policy)) };
            let before = registry.get(&apply.key);
            let applied = registry.apply(apply).await.expect("apply");
            assert_eq!(applied.created, before.is_none());
            assert_eq!(applied.changed, before.as_deref().map(declared) != Some(declared(&applied.function)));
            assert_eq!(*applied.function.spec, variant(code, policy));
        }
        Op::Pause { name: number, paused } => {
            let there = registry.get(&key(&name(number))).is_some();
            assert_eq!(registry.set_paused(&key(&name(number)), paused).await.is_ok(), there);
        }
        Op::Delete { name: number } => {
            let there = registry.get(&key(&name(number))).is_some();
            assert_eq!(registry.delete(&key(&name(number)), None).await.is_ok(), there);
        }
        Op::Restart => return open(store).await,
    }
    registry
}

async fn run(ops: Vec<Op>) {
    let store = Arc::default();
    let mut registry = open(&store).await;
    let mut seen: BTreeMap<u8, Arc<Function>> = BTreeMap::new();
    for op in ops {
        registry = step(registry, &store, op).await;
        for number in 0..2 {
            let Some(now) = registry.get(&key(&name(number))) else { continue };
            if let Some(before) = seen.insert(number, Arc::clone(&now)) {
                let same = declared(&before) == declared(&now);
                assert_eq!(before.etag() == now.etag(), same, "{before:?} {now:?}");
                let same_code = before.uid == now.uid && before.spec.same_code(&now.spec);
                assert_eq!(before.version == now.version, same_code);
                assert!(before.version <= now.version);
            }
            let version = registry.version(now.uid, now.version).await.expect("a version");
            assert!(version.spec.same_code(&now.spec), "the version is the code that runs");
        }
    }
}

proptest! {
    #[test]
    fn versions_increase_and_the_etag_tells_of_each_change(ops in prop::collection::vec(op(), 0..60)) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(run(ops));
    }
}
