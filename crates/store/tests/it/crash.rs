//! A real second process: it holds the folder, and it is killed in the middle of its work.

use super::open;
use eventflow_domain::InvocationId;
use eventflow_domain::ports::{Clock, InvocationStore as _};
use eventflow_store::{OpenError, Options, SqliteStore};
use eventflow_testkit::ManualClock;
use eventflow_testkit::contract::store::{Callee, Room};
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

const FOLDER: &str = "STORE_TEST_FOLDER";
/// Apart from what the test harness prints.
const MARK: &str = "accepted ";

/// Not a test: what the second process does. Does nothing where it is not asked to.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_second_process_accepts_until_it_is_killed() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let clock = Arc::new(ManualClock::default());
    let store = open(folder.as_ref(), &clock).await;
    let (room, callee) = (Room { store: Arc::new(store), clock }, Callee::new("f"));
    let accept = async || loop {
        let id = room.accepted(&callee).await;
        println!("{MARK}{id}");
    };
    futures::join!(accept(), accept(), accept(), accept());
}

/// Ends with the test, however that ends.
struct Second(Child);

impl Drop for Second {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn a_killed_process_loses_nothing_it_answered_and_held_the_folder_until_then() {
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Arc::new(ManualClock::default());
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().expect("a program"))
            .args(["--exact", "crash::the_second_process_accepts_until_it_is_killed", "--nocapture"])
            .env(FOLDER, folder.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("should start");
        let lines = BufReader::new(child.stdout.take().expect("is piped")).lines();
        let mut second = Second(child);
        let mut answered: Vec<InvocationId> = Vec::new();
        for line in lines.map_while(Result::ok) {
            let Some((_, id)) = line.split_once(MARK) else {
                continue;
            };
            // The last line may be cut short.
            answered.extend(id.parse::<InvocationId>());
            if answered.len() == 1 {
                let clock = Arc::clone(&clock) as Arc<dyn Clock>;
                let refused = SqliteStore::open(folder.path(), clock, Options::default()).await;
                let pid = second.0.id();
                assert!(matches!(refused, Err(OpenError::Locked { pid: Some(owner), .. }) if owner == pid));
            }
            if answered.len() == round * 100 {
                second.0.kill().expect("should be killed");
            }
        }
        second.0.wait().expect("should have ended");
        assert!(answered.len() >= round * 100, "round {round}: {} answers", answered.len());

        let store = open(folder.path(), &clock).await;
        for id in &answered {
            assert!(
                store.get(*id).await.expect("should be read").is_some(),
                "round {round}: {id} was answered"
            );
        }
        let due = store.outbox_due(100_000).await.expect("rows").len() as u64;
        assert_eq!(
            due,
            store.count(&eventflow_domain::ports::InvocationFilter::default()).await.expect("a count")
        );
        store.close().await;
    }
}
