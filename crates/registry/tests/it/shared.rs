//! Registries over a store that they share, here one in memory, and what happens when its news are lost or it is away.

use eventflow_domain::ports::{Apply, FunctionRegistry, Precondition, RegistryEvent, SharedFunctionStore};
use eventflow_domain::{
    Condition, ConditionStatus, ErrorKind, Readiness, Timestamp, VersionNumber, WorkerId,
};
use eventflow_registry::{Options, SharedRegistry};
use eventflow_testkit::contract::registry::{apply, variant};
use eventflow_testkit::fakes::MemoryFunctions;
use eventflow_testkit::{ManualClock, key};
use futures::stream::BoxStream;
use futures::{FutureExt as _, StreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Registries of one store, each followed until this is dropped.
pub(crate) struct World<S> {
    pub(crate) store: Arc<S>,
    clock: Arc<ManualClock>,
    following: JoinSet<()>,
}

impl<S: SharedFunctionStore + 'static> World<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store: Arc::new(store), clock: Arc::default(), following: JoinSet::new() }
    }

    pub(crate) async fn registry(&mut self) -> Arc<SharedRegistry> {
        self.registry_with(Options::default()).await
    }

    pub(crate) async fn registry_with(&mut self, options: Options) -> Arc<SharedRegistry> {
        let store = Arc::clone(&self.store) as Arc<dyn SharedFunctionStore>;
        let (registry, following) =
            SharedRegistry::open(store, self.clock.clone(), options).await.expect("open");
        self.following.spawn(following);
        Arc::new(registry)
    }
}

fn world() -> World<MemoryFunctions> {
    World::new(MemoryFunctions::default())
}

async fn registry() -> (Arc<dyn FunctionRegistry>, World<MemoryFunctions>) {
    let mut world = world();
    (world.registry().await, world)
}

async fn two() -> (Arc<SharedRegistry>, Arc<SharedRegistry>, World<MemoryFunctions>) {
    let mut world = world();
    (world.registry().await, world.registry().await, world)
}

mod contract {
    eventflow_testkit::registry_suite!(super::registry().await);
}

mod store {
    eventflow_testkit::shared_function_store_suite!((super::world().store, ()));
}

mod pair {
    eventflow_testkit::shared_registry_suite!(super::two().await);
}

/// A slow store leaves more room between the read and the write of each.
async fn two_on_a_slow_store() -> (Arc<SharedRegistry>, Arc<SharedRegistry>, World<MemoryFunctions>) {
    let (a, b, world) = two().await;
    world.store.slow(Duration::from_millis(1));
    (a, b, world)
}

mod pair_on_a_slow_store {
    eventflow_testkit::shared_registry_suite!(super::two_on_a_slow_store().await);
}

#[tokio::test]
async fn who_was_told_a_number_finds_that_change_at_the_other_registry() {
    let (a, b, _world) = two().await;
    for number in 1..=20 {
        let applied = a.apply(apply("f", variant(number, 0))).await.expect("applied");
        let revision = a.revision();
        b.catch_up(revision, Duration::from_secs(5)).await;
        assert!(b.revision() >= revision, "{} < {revision}", b.revision());
        let seen = b.get(&key("f")).expect("it is there");
        assert_eq!((seen.uid, seen.version), (applied.function.uid, applied.function.version));
    }
    a.delete(&key("f"), None).await.expect("deleted");
    b.catch_up(a.revision(), Duration::from_secs(5)).await;
    assert!(b.get(&key("f")).is_none());
}

#[tokio::test(start_paused = true)]
async fn a_number_that_never_comes_is_waited_for_no_longer_than_asked() {
    let (a, _b, _world) = two().await;
    let begun = tokio::time::Instant::now();
    a.catch_up(u64::MAX, Duration::from_millis(300)).await;
    let waited = begun.elapsed();
    assert!((Duration::from_millis(300)..Duration::from_secs(1)).contains(&waited), "{waited:?}");
}

fn ready(copies: u32) -> Readiness {
    let condition = Condition {
        kind: Readiness::READY.to_owned(),
        status: ConditionStatus::True,
        reason: "Compiled".to_owned(),
        message: String::new(),
        observed_generation: 0,
        since: Timestamp::from_millis(1),
    };
    Readiness {
        conditions: vec![condition],
        desired_copies: copies,
        ready_copies: copies,
        ..Readiness::default()
    }
}

fn is_ready(registry: &SharedRegistry) -> bool {
    registry.get(&key("f")).expect("there").readiness.is_ready()
}

fn changes(events: &mut BoxStream<'static, RegistryEvent>) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(Some(event)) = events.next().now_or_never() {
        seen.push(match event {
            RegistryEvent::Changed(function) => format!("{} at {}", function.key.name, function.generation),
            RegistryEvent::Deleted(function) => format!("{} deleted", function.key.name),
            RegistryEvent::Resync => "resync".to_owned(),
        });
    }
    seen
}

const A_WHILE: Duration = Duration::from_secs(31);

#[tokio::test(start_paused = true)]
async fn news_that_were_lost_are_made_good_by_the_next_comparison() {
    let (a, b, world) = two().await;
    for name in ["changed", "deleted", "same"] {
        a.apply(apply(name, variant(1, 0))).await.expect("apply");
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let mut events = b.watch();
    world.store.silent(true);
    a.apply(apply("changed", variant(2, 0))).await.expect("apply");
    a.apply(apply("created", variant(1, 0))).await.expect("apply");
    a.delete(&key("deleted"), None).await.expect("delete");
    let deleted = a.delete(&key("same"), None).await.expect("delete");
    let anew = a.apply(apply("same", variant(1, 0))).await.expect("apply").function;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(changes(&mut events), [""; 0]);
    tokio::time::sleep(A_WHILE).await;
    let expected = ["deleted deleted", "changed at 2", "created at 1", "same deleted", "same at 1"];
    assert_eq!(changes(&mut events), expected);
    assert_eq!(b.list(None), a.list(None));
    assert_eq!((b.get_by_uid(deleted.uid), b.get_by_uid(anew.uid)), (None, Some(anew)));
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(changes(&mut events), [""; 0], "each is told once");
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_news_is_one_comparison() {
    let (a, b, world) = two().await;
    let writes = (0..1500).map(|number| a.apply(apply(&format!("f{number}"), variant(1, 0))));
    futures::future::try_join_all(writes).await.expect("apply");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(b.list(None), a.list(None));
    assert_eq!(b.list(None).len(), 1500);
    assert!(world.store.read() < 4000, "{} reads", world.store.read());
}

#[tokio::test(start_paused = true)]
async fn while_the_store_is_away_all_is_known_and_nothing_can_be_written() {
    let (a, b, world) = two().await;
    let function = a.apply(apply("f", variant(1, 0))).await.expect("apply").function;
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.store.down(true);
    let errors = [
        b.apply(apply("f", variant(2, 0))).await.err(),
        b.apply(Apply { dry_run: true, ..apply("g", variant(2, 0)) }).await.err(),
        b.apply(Apply { precondition: Precondition::Absent, ..apply("f", variant(2, 0)) }).await.err(),
        b.set_paused(&key("f"), true).await.err(),
        b.delete(&key("f"), None).await.err(),
        b.refresh(&key("g")).await.err(),
        b.refresh(&key("h")).await.err(),
    ];
    for error in errors {
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Unavailable));
    }
    tokio::time::sleep(A_WHILE * 2).await;
    world.clock.advance(A_WHILE * 2);
    assert_eq!(b.list(None), [Arc::clone(&function)]);
    assert_eq!(b.refresh(&key("f")).await.expect("known"), Some(Arc::clone(&function)));
    assert!(b.compared_ago() >= A_WHILE * 2);
    b.report(function.uid, function.version, ready(1)).await.expect("is told later");
    assert!(is_ready(&b));

    world.store.down(false);
    world.store.silent(true);
    let two = a.apply(apply("g", variant(1, 0))).await.expect("apply").function;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(b.get(&key("g")), Some(two), "the missed news were made good");
    assert_eq!(world.store.readiness_of(function.uid).await.expect("of").len(), 1);
    assert_eq!(b.compared_ago(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_unknown_names_reaches_the_store_once_a_second_each() {
    let (a, b, world) = two().await;
    let read = world.store.read();
    let unknown = key("unknown");
    let none = futures::future::join_all((0..100).map(|_| b.refresh(&unknown))).await;
    assert!(none.iter().all(|found| matches!(found, Ok(None))));
    assert_eq!(world.store.read() - read, 1);
    world.store.silent(true);
    let function = a.apply(apply("unknown", variant(1, 0))).await.expect("apply").function;
    assert_eq!(b.refresh(&key("unknown")).await.expect("refresh"), None, "for a second at most");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(b.refresh(&key("unknown")).await.expect("refresh"), Some(function));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_died_is_not_believed_for_long() {
    let (a, _, mut world) = two().await;
    let function = a.apply(apply("f", variant(1, 0))).await.expect("apply").function;
    let store = Arc::clone(&world.store) as Arc<dyn SharedFunctionStore>;
    let (dying, following) =
        SharedRegistry::open(store, world.clock.clone(), Options::default()).await.expect("open");
    dying.report(function.uid, function.version, ready(1)).await.expect("report");
    let died = tokio::time::timeout(Duration::from_secs(1), following).await;
    assert!(died.is_err() && is_ready(&a));
    world.store.pass(Duration::from_secs(100));
    tokio::time::sleep(A_WHILE).await;
    assert!(is_ready(&a));
    world.store.pass(Duration::from_secs(31));
    tokio::time::sleep(A_WHILE).await;
    assert!(!is_ready(&a));
    let next = world.registry().await;
    next.report(function.uid, function.version, ready(2)).await.expect("report");
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(a.get(&key("f")).expect("there").readiness.ready_copies, 2);
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lives_is_believed_and_says_again_what_was_forgotten() {
    let (a, b, world) = two().await;
    let function = a.apply(apply("f", variant(1, 0))).await.expect("apply").function;
    b.report(function.uid, function.version, ready(1)).await.expect("report");
    for _ in 0..5 {
        tokio::time::sleep(A_WHILE).await;
        world.store.pass(Duration::from_secs(100));
        assert!(is_ready(&a));
    }
    world.store.forget_reports();
    tokio::time::sleep(A_WHILE * 2).await;
    assert!(is_ready(&a) && is_ready(&b));
    assert_eq!(world.store.readiness_of(function.uid).await.expect("of").len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_whose_caller_hung_up_is_seen_once_it_is_stored() {
    let (a, _b, world) = two().await;
    world.store.slow(Duration::from_secs(2));
    let hung_up = tokio::time::timeout(Duration::from_secs(1), a.apply(apply("f", variant(1, 0)))).await;
    assert!(hung_up.is_err());
    world.store.silent(true);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(a.get(&key("f")).is_some());
}

#[tokio::test(start_paused = true)]
async fn who_comes_later_knows_all_that_was_declared_and_reported() {
    let (a, _b, mut world) = two().await;
    a.apply(apply("f", variant(1, 0))).await.expect("apply");
    let function = a.apply(apply("f", variant(2, 0))).await.expect("apply").function;
    a.report(function.uid, function.version, ready(3)).await.expect("report");
    tokio::time::sleep(Duration::from_millis(1)).await;
    let worker = WorkerId::generate("late");
    let late = world.registry_with(Options { worker, ..Options::default() }).await;
    assert_eq!(late.list(None), a.list(None));
    assert_eq!(late.get(&key("f")).expect("there").version, VersionNumber(2));
    assert!(is_ready(&late));
}

#[tokio::test(start_paused = true)]
async fn writers_do_not_pile_up_before_a_store_that_hangs() {
    let (a, _b, world) = two().await;
    world.store.slow(Duration::from_secs(3600));
    let hung = a.apply(apply("f", variant(1, 0)));
    let late = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        a.apply(apply("f", variant(2, 0))).await
    };
    let late = tokio::select! {
        _ = hung => None,
        late = late => late.err(),
    };
    assert_eq!(late.map(|error| error.kind()), Some(ErrorKind::Unavailable));
    // But for those few that share the turn.
    let others: Vec<_> = (0..20).map(|number| key(&format!("g{number}"))).collect();
    let reads = others.iter().map(|key| tokio::time::timeout(Duration::from_secs(1), a.refresh(key)));
    let reads = futures::future::join_all(reads).await;
    assert!(reads.iter().any(|read| matches!(read, Ok(Ok(None)))), "others need not wait");
}
