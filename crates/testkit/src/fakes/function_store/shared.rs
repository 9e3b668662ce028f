use super::{Kept, MemoryFunctions, Worker};
use async_trait::async_trait;
use eventflow_domain::ports::{
    FunctionNews, FunctionRow, ReadinessReport, ReadinessRow, SharedFunctionStore,
};
use eventflow_domain::{FunctionKey, FunctionUid, FunctionVersion, Result, WorkerId};
use futures::stream::{self, BoxStream, StreamExt as _};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio_stream::wrappers::BroadcastStream;

#[async_trait]
impl SharedFunctionStore for MemoryFunctions {
    async fn function_get(&self, key: &FunctionKey) -> Result<Option<FunctionRow>> {
        self.up()?;
        let mut kept = self.kept.lock();
        kept.read += 1;
        Ok(kept.rows.get(key).cloned())
    }

    async fn function_remove_at(&self, key: &FunctionKey, uid: FunctionUid, generation: i64) -> Result<bool> {
        self.trouble().await?;
        let mut kept = self.kept.lock();
        let there = kept.rows.get(key).is_some_and(|row| row.uid == uid && row.generation == generation);
        if there {
            kept.rows.remove(key);
            kept.written += 1;
            kept.workers.values_mut().for_each(|worker| drop(worker.reports.remove(&uid)));
            self.changed(&kept, key.clone());
        }
        Ok(there)
    }

    async fn function_revision(&self) -> Result<u64> {
        self.up()?;
        Ok(self.kept.lock().written)
    }

    async fn function_mirror(&self, row: FunctionRow, versions: Vec<FunctionVersion>) -> Result<()> {
        self.trouble().await?;
        let mut kept = self.kept.lock();
        for version in versions {
            let known = |kept: &FunctionVersion| (kept.uid, kept.number) == (version.uid, version.number);
            if !kept.versions.iter().any(known) {
                kept.versions.push(version);
            }
        }
        let newer = |kept: &FunctionRow| kept.uid == row.uid && kept.generation > row.generation;
        if !kept.rows.get(&row.key).is_some_and(newer) {
            self.tell(FunctionNews::Changed(row.key.clone()));
            kept.rows.insert(row.key.clone(), row);
            kept.written += 1;
        }
        Ok(())
    }

    fn function_news(&self) -> BoxStream<'static, FunctionNews> {
        let news = BroadcastStream::new(self.news.subscribe());
        let news = news.map(|news| news.unwrap_or(FunctionNews::Resync));
        stream::iter([FunctionNews::Resync]).chain(news).boxed()
    }

    async fn readiness_put(&self, worker: &WorkerId, reports: Vec<ReadinessReport>) -> Result<()> {
        self.up()?;
        let mut kept = self.kept.lock();
        let Kept { rows, workers, .. } = &mut *kept;
        let new = || Worker { id: worker.clone(), silent: Duration::ZERO, reports: BTreeMap::new() };
        let worker = workers.entry(worker.as_str().to_owned()).or_insert_with(new);
        worker.silent = Duration::ZERO;
        for report in reports {
            let there = rows.values().any(|row| row.uid == report.uid);
            if there && worker.reports.get(&report.uid) != Some(&report) {
                self.tell(FunctionNews::Reported(report.uid));
                worker.reports.insert(report.uid, report);
            }
        }
        Ok(())
    }

    async fn readiness_of(&self, uid: FunctionUid) -> Result<Vec<ReadinessRow>> {
        Ok(self.readiness_all().await?.into_iter().filter(|row| row.uid == uid).collect())
    }

    async fn readiness_all(&self) -> Result<Vec<ReadinessRow>> {
        self.up()?;
        let kept = self.kept.lock();
        let of = |worker: &Worker| -> Vec<ReadinessRow> {
            let row = |report: &ReadinessReport| ReadinessRow {
                uid: report.uid,
                version: report.version,
                worker: worker.id.clone(),
                readiness: report.readiness.clone(),
                silent: worker.silent,
            };
            worker.reports.values().map(row).collect()
        };
        Ok(kept.workers.values().flat_map(of).collect())
    }
}
