//! Tells the store what this process reports, and that it is alive.

use super::Inner;
use crate::backoff::Backoff;
use eventflow_domain::FunctionUid;
use std::sync::Arc;
use std::time::Duration;

/// Never ends. Reports that come while older ones are written go together.
pub(super) async fn tell(inner: Arc<Inner>, every: Duration) {
    let mut backoff = Backoff::default();
    loop {
        let quiet = tokio::time::timeout(every, inner.reports.news()).await.is_err();
        let mut alive = quiet && inner.reports.reported_any();
        loop {
            let reports = inner.reports.take();
            if reports.is_empty() && !std::mem::take(&mut alive) {
                break;
            }
            let uids: Vec<FunctionUid> = reports.iter().map(|report| report.uid).collect();
            match inner.declared.store.readiness_put(&inner.reports.worker, reports).await {
                Ok(()) => backoff.succeeded("reports of readiness are stored again"),
                Err(error) => {
                    inner.reports.give_back(uids);
                    alive = true;
                    backoff.failed("failed to store reports of readiness", &error);
                    tokio::time::sleep(backoff.pause()).await;
                }
            }
        }
    }
}
