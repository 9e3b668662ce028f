//! Slows down those who guess passwords.

use eventflow_domain::ports::Clock;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Failures that a name has in hand.
const BURST: f64 = 10.0;
/// How many names are watched one by one; the others share one account.
const NAMES: usize = 1024;

#[derive(Debug, Clone, Copy)]
struct Account {
    left: f64,
    at: Duration,
}

/// Ten failures at once for each name, and one more every six seconds.
#[derive(Debug)]
pub(crate) struct Throttle {
    clock: Arc<dyn Clock>,
    accounts: Mutex<HashMap<Box<str>, Account>>,
}

/// The longest name that is watched by itself, in bytes; no user has a longer one.
const LONGEST: usize = 512;

/// One attempt, which has been paid for.
#[derive(Debug)]
pub(crate) struct Attempt<'a> {
    throttle: &'a Throttle,
    name: Box<str>,
}

impl Throttle {
    /// When a name that has used up its failures may try again.
    pub(crate) const REFILL: Duration = Duration::from_secs(6);

    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, accounts: Mutex::default() }
    }

    /// Takes one attempt from a name's account, before it is made: attempts made at once cannot overdraw it.
    pub(crate) fn attempt(&self, username: &str) -> Option<Attempt<'_>> {
        let now = self.clock.monotonic();
        let username = if username.len() > LONGEST { "" } else { username };
        let refilled = |account: &Account| {
            let since = now.saturating_sub(account.at).as_secs_f64();
            (account.left + since / Self::REFILL.as_secs_f64()).min(BURST)
        };
        let mut accounts = self.accounts.lock();
        if accounts.len() >= NAMES && !accounts.contains_key(username) {
            accounts.retain(|_, account| refilled(account) < BURST);
        }
        // The empty name, which no user has, stands for all that find no place.
        let name = if accounts.len() < NAMES || accounts.contains_key(username) { username } else { "" };
        let account = accounts.entry(name.into()).or_insert(Account { left: BURST, at: now });
        *account = Account { left: refilled(account), at: now };
        if account.left < 1.0 {
            return None;
        }
        account.left -= 1.0;
        Some(Attempt { throttle: self, name: name.into() })
    }
}

impl Attempt<'_> {
    /// A success clears the account.
    pub(crate) fn succeeded(self) {
        self.throttle.accounts.lock().remove(&self.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::Timestamp;

    #[derive(Debug, Default)]
    struct Standing(Mutex<Duration>);

    impl Clock for Standing {
        fn now(&self) -> Timestamp {
            Timestamp::default()
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock()
        }
    }

    #[test]
    fn names_without_end_take_no_memory_without_end() {
        let clock = Arc::new(Standing::default());
        let throttle = Throttle::new(clock.clone());
        let tried = (0..5000).filter(|i| throttle.attempt(&format!("user{i}")).is_some()).count();
        assert_eq!(tried, NAMES + BURST as usize, "the rest share one account");
        assert!(throttle.accounts.lock().len() <= NAMES + 1);
        *clock.0.lock() = Duration::from_hours(1);
        assert!(throttle.attempt("late").is_some(), "old accounts give way");
    }

    #[test]
    fn a_success_clears_the_account() {
        let throttle = Throttle::new(Arc::new(Standing::default()));
        for _ in 0..9 {
            assert!(throttle.attempt("ann").is_some());
        }
        throttle.attempt("ann").expect("the last one").succeeded();
        assert!(throttle.attempt("ann").is_some());
    }
}
