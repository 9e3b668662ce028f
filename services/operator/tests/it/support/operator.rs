use super::{Audit, Room, config};
use eventflow_lifecycle::{ShutdownConfig, Supervisor, SystemClock};
use eventflow_operator::{Config, Metrics, Operator, Times};
use eventflow_workload::Installation;
use kube::Client;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;

const THREADS: usize = 2;

/// An operator in a runtime of its own: dropped, it is gone at once, in the middle of whatever it did.
pub(crate) struct Running {
    runtime: Option<Runtime>,
    pub(crate) operator: Operator,
    pub(crate) audit: Arc<Audit>,
    _supervisor: Supervisor,
}

impl Running {
    pub(crate) async fn start(room: &Room) -> Self {
        Self::with(room, "one", Audit::new(None), times()).await
    }

    pub(crate) async fn with(room: &Room, identity: &str, audit: Arc<Audit>, times: Times) -> Self {
        let cluster = config(room.cluster).await;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let (operator, supervisor) = {
            let _inside = runtime.enter();
            let client = audit.wrap(&Client::try_from(cluster).expect("a client"));
            let supervisor = Supervisor::new(ShutdownConfig::default());
            let config = Config {
                identity: identity.to_owned(),
                namespace: room.namespace.clone(),
                namespaces: format!("eventflow.io/enabled=true,eventflow.io/test={}", room.namespace),
                times,
                installation: Installation {
                    pod_security: eventflow_domain::spec::PodSecurity::Baseline,
                    ..Installation::default()
                },
                ..Config::default()
            };
            let clock = Arc::new(SystemClock::new());
            let operator = Operator::start(&client, config, clock, &Metrics::default(), &supervisor.handle());
            (operator, supervisor)
        };
        Self { runtime: Some(runtime), operator, audit, _supervisor: supervisor }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A Lease that need not be waited for long.
pub(crate) fn times() -> Times {
    Times {
        duration: Duration::from_secs(2),
        deadline: Duration::from_millis(1500),
        every: Duration::from_millis(300),
    }
}

impl Running {
    /// Stops every thread of the operator for so long, as SIGSTOP would.
    pub(crate) fn stand_still(&self, time: Duration) {
        let runtime = self.runtime.as_ref().expect("it runs");
        for _ in 0..THREADS {
            runtime.spawn(async move { std::thread::sleep(time) });
        }
    }
}
