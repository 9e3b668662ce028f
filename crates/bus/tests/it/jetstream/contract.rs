use super::support::{connect, shared_config};
use eventflow_domain::ports::Bus;
use std::sync::Arc;

async fn bus() -> (Arc<dyn Bus>, ()) {
    (connect(&shared_config().await).await, ())
}

eventflow_testkit::bus_suite!(bus().await);
