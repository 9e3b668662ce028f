//! Whatever is done in whatever order: each message that was published and neither acked nor purged comes again, and
//! none is in two hands at once.

use eventflow_bus::InMemoryBus;
use eventflow_domain::FunctionKey;
use eventflow_domain::ports::{Bus, Delivery, Message};
use eventflow_testkit::contract::bus::message;
use eventflow_testkit::{ManualClock, key};
use futures::executor::block_on;
use futures::{FutureExt, StreamExt};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

const FUNCTIONS: u8 = 3;

#[derive(Debug, Clone)]
enum Op {
    Publish { function: u8, count: u8 },
    PublishAgain { which: usize },
    Fetch { function: u8, max: u8 },
    Ack { which: usize },
    Nak { which: usize, delay_ms: u16 },
    Advance { ms: u16 },
    Purge { function: u8 },
}

fn op() -> impl Strategy<Value = Op> {
    let function = 0..FUNCTIONS;
    prop_oneof![
        4 => (function.clone(), 1..4u8).prop_map(|(function, count)| Op::Publish { function, count }),
        1 => any::<usize>().prop_map(|which| Op::PublishAgain { which }),
        5 => (function.clone(), 0..4u8).prop_map(|(function, max)| Op::Fetch { function, max }),
        3 => any::<usize>().prop_map(|which| Op::Ack { which }),
        4 => (any::<usize>(), 0..500u16).prop_map(|(which, delay_ms)| Op::Nak { which, delay_ms }),
        2 => (0..400u16).prop_map(|ms| Op::Advance { ms }),
        1 => function.prop_map(|function| Op::Purge { function }),
    ]
}

/// What must be true of the bus: who knows which message.
struct World {
    bus: InMemoryBus,
    clock: Arc<ManualClock>,
    /// Neither acked nor purged, by invocation.
    owed: BTreeMap<String, Message>,
    held: Vec<Delivery>,
}

fn function(number: u8) -> FunctionKey {
    key(&format!("f{number}"))
}

fn name(message: &Message) -> String {
    message.invocation.to_string()
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let bus = InMemoryBus::new(Arc::clone(&clock) as Arc<_>);
        Self { bus, clock, owed: BTreeMap::new(), held: Vec::new() }
    }

    fn take_held(&mut self, which: usize) -> Option<Delivery> {
        (!self.held.is_empty()).then(|| self.held.swap_remove(which % self.held.len()))
    }

    fn step(&mut self, op: &Op) {
        match *op {
            Op::Publish { function: number, count } => {
                let messages: Vec<Message> = (0..count).map(|_| message(&function(number))).collect();
                self.owed.extend(messages.iter().map(|message| (name(message), message.clone())));
                block_on(self.bus.publish(messages)).expect("publish");
            }
            Op::PublishAgain { which } => {
                let known = self.owed.values().nth(which % self.owed.len().max(1)).cloned();
                block_on(self.bus.publish(known.into_iter().collect())).expect("publish");
            }
            Op::Fetch { function: number, max } => self.fetch(number, max.into()),
            Op::Ack { which } => {
                if let Some(delivery) = self.take_held(which) {
                    self.owed.remove(&name(&delivery.message));
                    block_on(self.bus.ack(vec![delivery])).expect("ack");
                }
            }
            Op::Nak { which, delay_ms } => {
                if let Some(delivery) = self.take_held(which) {
                    block_on(self.bus.nak(delivery, Duration::from_millis(delay_ms.into()))).expect("nak");
                }
            }
            Op::Advance { ms } => self.clock.advance(Duration::from_millis(ms.into())),
            Op::Purge { function: number } => {
                self.owed.retain(|_, message| message.function != function(number));
                self.held.retain(|delivery| delivery.message.function != function(number));
                block_on(self.bus.purge(&function(number))).expect("purge");
            }
        }
    }

    fn fetch(&mut self, number: u8, max: usize) {
        let deliveries = block_on(self.bus.fetch(&function(number), max)).expect("fetch");
        assert!(deliveries.len() <= max);
        for delivery in deliveries {
            assert_eq!(
                self.owed.get(&name(&delivery.message)),
                Some(&delivery.message),
                "nobody is owed this"
            );
            let in_two_hands = self.held.iter().any(|held| held.message == delivery.message);
            assert!(!in_two_hands, "{delivery:?} is held already");
            self.held.push(delivery);
        }
    }

    /// Depths fit, a new listener hears of exactly what waits, and everything owed comes.
    fn settle(mut self) {
        for number in 0..FUNCTIONS {
            let owed = self.owed.values().filter(|message| message.function == function(number)).count();
            assert_eq!(block_on(self.bus.depth(&function(number))).expect("depth"), Some(owed as u64));
        }
        self.clock.advance(Duration::from_secs(1));
        let mut active = self.bus.active();
        let mut waiting = Vec::new();
        while waiting.len() < FUNCTIONS.into() {
            let Some(function) = active.next().now_or_never() else { break };
            waiting.extend(function);
        }
        for number in 0..FUNCTIONS {
            let held = self.held.len();
            self.fetch(number, usize::MAX);
            assert_eq!(self.held.len() > held, waiting.contains(&function(number)));
        }
        let mut held: Vec<String> = self.held.iter().map(|delivery| name(&delivery.message)).collect();
        held.sort();
        assert_eq!(held, self.owed.keys().cloned().collect::<Vec<_>>());
        block_on(self.bus.ack(self.held)).expect("ack");
        for number in 0..FUNCTIONS {
            assert_eq!(block_on(self.bus.depth(&function(number))).expect("depth"), Some(0));
        }
    }
}

proptest! {
    #[test]
    fn no_message_is_lost_and_none_is_in_two_hands(ops in prop::collection::vec(op(), 0..120)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let _time = runtime.enter();
        let mut world = World::new();
        for op in &ops {
            world.step(op);
        }
        world.settle();
    }
}
