//! The contract against the bus in memory, in virtual time, and what is its own.

use eventflow_bus::InMemoryBus;
use eventflow_domain::ports::{Bus, Clock};
use eventflow_domain::{ErrorKind, Timestamp};
use eventflow_testkit::contract::bus::messages;
use eventflow_testkit::key;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Goes with tokio's time, which these tests pause.
#[derive(Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp::default() + self.monotonic()
    }

    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock(Instant::now()))
}

fn bus() -> (Arc<dyn Bus>, ()) {
    (Arc::new(InMemoryBus::new(clock())), ())
}

eventflow_testkit::bus_suite!(bus() => start_paused = true);

#[tokio::test]
async fn a_full_bus_takes_all_or_nothing() {
    let (bus, function) = (InMemoryBus::with_capacity(clock(), 3), key("f"));
    bus.publish(messages(&function, 2)).await.expect("there is room");
    let error = bus.publish(messages(&function, 2)).await.expect_err("there is room for one only");
    assert_eq!((error.kind(), error.reason()), (ErrorKind::Exhausted, "BusFull"));
    assert_eq!(bus.depth(&function).await.expect("depth"), Some(2));
    let deliveries = bus.fetch(&function, 1).await.expect("fetch");
    bus.ack(deliveries).await.expect("ack");
    bus.publish(messages(&function, 2)).await.expect("there is room again");
    bus.purge(&function).await.expect("purge");
    bus.publish(messages(&function, 3)).await.expect("a purge makes room");
}
