//! Whatever is declared in whatever order, by one process or by several that hear nothing of each other: version
//! numbers of a name strictly increase, and the etag changes exactly when something declared did.

use eventflow_domain::ports::{Apply, FunctionRegistry, FunctionRow, FunctionStore, SharedFunctionStore};
use eventflow_domain::{FunctionKey, FunctionSpec, FunctionUid, VersionNumber};
use eventflow_registry::{Options, SharedRegistry, SqlRegistry};
use eventflow_testkit::contract::registry::{apply, variant};
use eventflow_testkit::fakes::MemoryFunctions;
use eventflow_testkit::{ManualClock, key};
use proptest::prelude::*;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

#[derive(Debug, Clone)]
enum Op {
    Apply {
        name: u8,
        code: u8,
        policy: u8,
        dry_run: bool,
    },
    Pause {
        name: u8,
        paused: bool,
    },
    Delete {
        name: u8,
    },
    Restart,
    /// The next ones are done by another process, where there is one.
    Switch,
}

fn op() -> impl Strategy<Value = Op> {
    let name = 0..2u8;
    prop_oneof![
        6 => (name.clone(), 0..3u8, 0..2u8, prop::bool::weighted(0.1))
            .prop_map(|(name, code, policy, dry_run)| Op::Apply { name, code, policy, dry_run }),
        2 => (name.clone(), any::<bool>()).prop_map(|(name, paused)| Op::Pause { name, paused }),
        1 => name.prop_map(|name| Op::Delete { name }),
        1 => Just(Op::Restart),
        4 => Just(Op::Switch),
    ]
}

fn name(number: u8) -> String {
    format!("f{number}")
}

/// What is declared, without what is counted.
type Declared = (FunctionUid, Arc<FunctionSpec>, bool);

fn declared(row: &FunctionRow) -> Declared {
    (row.uid, Arc::clone(&row.spec), row.paused)
}

/// The processes; the first one does what is done next.
struct World {
    store: Arc<MemoryFunctions>,
    processes: VecDeque<Arc<dyn FunctionRegistry>>,
    shared: bool,
}

impl World {
    async fn new(shared: bool) -> Self {
        let mut world = Self { store: Arc::default(), processes: VecDeque::new(), shared };
        for _ in 0..if shared { 2 } else { 1 } {
            let process = world.open().await;
            world.processes.push_back(process);
        }
        world
    }

    /// Not followed: a shared one learns only by its own reads.
    async fn open(&self) -> Arc<dyn FunctionRegistry> {
        let clock = Arc::new(ManualClock::default());
        if self.shared {
            let store = Arc::clone(&self.store) as Arc<dyn SharedFunctionStore>;
            let (registry, _) = SharedRegistry::open(store, clock, Options::default()).await.expect("open");
            return Arc::new(registry);
        }
        let store = Arc::clone(&self.store) as Arc<dyn FunctionStore>;
        Arc::new(SqlRegistry::open(store, clock).await.expect("open"))
    }

    async fn stored(&self, key: &FunctionKey) -> Option<FunctionRow> {
        self.store.function_get(key).await.expect("get")
    }

    async fn step(&mut self, op: Op) {
        let registry = Arc::clone(&self.processes[0]);
        match op {
            Op::Apply { name: number, code, policy, dry_run } => {
                let apply = Apply { dry_run, ..apply(&name(number), variant(code, policy)) };
                let before = self.stored(&apply.key).await;
                let applied = registry.apply(apply).await.expect("apply");
                assert_eq!(applied.created, before.is_none());
                let function = &applied.function;
                let after: Declared = (function.uid, Arc::clone(&function.spec), function.paused);
                assert_eq!(applied.changed, before.as_ref().map(declared) != Some(after));
                assert_eq!(*applied.function.spec, variant(code, policy));
            }
            Op::Pause { name: number, paused } => {
                let there = self.stored(&key(&name(number))).await.is_some();
                assert_eq!(registry.set_paused(&key(&name(number)), paused).await.is_ok(), there);
            }
            Op::Delete { name: number } => {
                let there = self.stored(&key(&name(number))).await.is_some();
                assert_eq!(registry.delete(&key(&name(number)), None).await.is_ok(), there);
            }
            Op::Restart => self.processes[0] = self.open().await,
            Op::Switch => self.processes.rotate_left(1),
        }
    }
}

async fn run(ops: Vec<Op>, shared: bool) {
    let mut world = World::new(shared).await;
    let mut seen: BTreeMap<u8, FunctionRow> = BTreeMap::new();
    let mut given: BTreeMap<(u8, VersionNumber), FunctionUid> = BTreeMap::new();
    for op in ops {
        world.step(op).await;
        for number in 0..2 {
            let Some(now) = world.stored(&key(&name(number))).await else { continue };
            assert_eq!(*given.entry((number, now.version)).or_insert(now.uid), now.uid, "given once");
            if let Some(before) = seen.insert(number, now.clone()) {
                let same = declared(&before) == declared(&now);
                assert_eq!(
                    (before.uid, before.generation) == (now.uid, now.generation),
                    same,
                    "{before:?} {now:?}"
                );
                let same_code = before.uid == now.uid && before.spec.same_code(&now.spec);
                assert_eq!(before.version == now.version, same_code);
                assert!(before.version <= now.version);
            }
            let version = world.processes[0].version(now.uid, now.version).await.expect("a version");
            assert!(version.spec.same_code(&now.spec), "the version is the code that runs");
        }
    }
}

fn block_on(future: impl Future<Output = ()>) {
    // Nobody follows the news here, so each write would wait for them in vain: virtual time skips that.
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().expect("a runtime").block_on(future);
}

proptest! {
    #[test]
    fn versions_increase_and_the_etag_tells_of_each_change(ops in prop::collection::vec(op(), 0..60)) {
        block_on(run(ops, false));
    }

    #[test]
    fn the_same_holds_where_two_processes_write(ops in prop::collection::vec(op(), 0..60)) {
        block_on(run(ops, true));
    }
}
