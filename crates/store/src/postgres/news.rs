//! News of the functions, by LISTEN and NOTIFY: on a connection of its own, made again for as long as the store is
//! open.

use eventflow_domain::ports::FunctionNews;
use futures::stream::{self, BoxStream, StreamExt as _};
use sqlx::postgres::{PgListener, PgPool, PgPoolOptions};
use std::time::Duration;

/// What the triggers of the tables tell by.
const CHANNEL: &str = "eventflow_functions";
/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(250);

struct News {
    /// The store's; closed with it.
    store: PgPool,
    /// Longest wait for the server, at a connect and at a sign of life. A connection that says nothing for twice as
    /// long is asked for one: a peer that vanished says nothing.
    patience: Duration,
    listener: Option<PgListener>,
}

/// Ends once `store` is closed.
pub(super) fn listen(store: &PgPool, patience: Duration) -> BoxStream<'static, FunctionNews> {
    let news = News { store: store.clone(), patience, listener: None };
    let next = |mut news: News| async move {
        let item = news.next().await?;
        Some((item, news))
    };
    stream::unfold(news, next).boxed()
}

impl News {
    async fn next(&mut self) -> Option<FunctionNews> {
        let store = self.store.clone();
        // `None` also where the store was closed before.
        store.close_event().do_until(self.news()).await.ok()
    }

    async fn news(&mut self) -> FunctionNews {
        loop {
            let Some(listener) = &mut self.listener else {
                match self.connected().await {
                    Some(listener) => {
                        self.listener = Some(listener);
                        return FunctionNews::Resync;
                    }
                    None => tokio::time::sleep(PAUSE).await,
                }
                continue;
            };
            match tokio::time::timeout(self.patience * 2, listener.try_recv()).await {
                // What cannot be read is news all the same.
                Ok(Ok(Some(told))) => return read(told.payload()).unwrap_or(FunctionNews::Resync),
                Err(_quiet) if is_alive(listener, self.patience).await => {}
                Ok(Ok(None) | Err(_)) | Err(_) => self.listener = None,
            }
        }
    }

    /// On a connection apart from the store's, which are few and for short work.
    async fn connected(&self) -> Option<PgListener> {
        let apart = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(self.patience)
            .connect_lazy_with((*self.store.connect_options()).clone());
        let connect = async {
            let mut listener = PgListener::connect_with(&apart).await?;
            // A lost connection is told as one; then this makes a new one.
            listener.eager_reconnect(false);
            listener.listen(CHANNEL).await?;
            Ok::<_, sqlx::Error>(listener)
        };
        match tokio::time::timeout(self.patience, connect).await {
            Ok(Ok(listener)) => Some(listener),
            Ok(Err(error)) => {
                tracing::debug!(%error, "failed to listen to the database");
                None
            }
            Err(_) => None,
        }
    }
}

async fn is_alive(listener: &mut PgListener, patience: Duration) -> bool {
    let asked = tokio::time::timeout(patience, sqlx::query("SELECT 1").execute(listener)).await;
    matches!(asked, Ok(Ok(_)))
}

fn read(payload: &str) -> Option<FunctionNews> {
    match payload.split_once(' ')? {
        ("changed", key) => {
            let (namespace, name) = key.split_once('/')?;
            let key = eventflow_domain::FunctionKey::new(namespace.parse().ok()?, name.parse().ok()?);
            Some(FunctionNews::Changed(key))
        }
        ("revision", number) => number.parse().ok().map(FunctionNews::Revision),
        ("reported", uid) => uid.parse().ok().map(FunctionNews::Reported),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eventflow_domain::FunctionUid;
    use eventflow_testkit::key;

    #[test]
    fn what_the_triggers_tell_is_read_and_anything_else_is_a_resync() {
        let uid = FunctionUid::generate();
        assert_eq!(read("changed default/f"), Some(FunctionNews::Changed(key("f"))));
        assert_eq!(read(&format!("reported {uid}")), Some(FunctionNews::Reported(uid)));
        assert_eq!(read("revision 17"), Some(FunctionNews::Revision(17)));
        for other in
            ["resync", "revision x", "", "changed f", "changed Default/F", "reported f", "renamed a/b"]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
