//! Waiting for a condition, with a bound.

use std::fmt::Debug;
use std::time::Duration;

/// How long a test waits for what is expected soon.
pub const SOON: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(15);

/// Asks again and again until there is an answer; panics with `what` after `bound`.
pub async fn until<T>(what: &str, bound: Duration, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(POLL).await;
        }
    };
    within(what, bound, asking).await
}

/// Waits for a future; panics with `what` after `bound`.
pub async fn within<T>(what: &str, bound: Duration, future: impl Future<Output = T>) -> T {
    let ended = tokio::time::timeout(bound, future).await;
    ended.unwrap_or_else(|_| panic!("{what}: not within {bound:?}"))
}

/// Asks until the answer fulfils the condition; panics with the last answer after `bound`.
pub async fn settles<T: Debug>(
    what: &str,
    bound: Duration,
    mut ask: impl AsyncFnMut() -> T,
    good: impl Fn(&T) -> bool,
) -> T {
    let mut last = None;
    let asking = async {
        loop {
            let answer = ask().await;
            if good(&answer) {
                return answer;
            }
            last = Some(answer);
            tokio::time::sleep(POLL).await;
        }
    };
    let ended = tokio::time::timeout(bound, asking).await;
    ended.unwrap_or_else(|_| panic!("{what}: not within {bound:?}; last: {last:#?}"))
}
