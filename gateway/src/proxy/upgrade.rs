use eventflow_domain::ports::Upgraded;
use eventflow_lifecycle::CancellationToken;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_util::compat::FuturesAsyncReadCompatExt as _;

/// Joins the caller's connection and the function's, once both have switched.
#[expect(
    clippy::disallowed_methods,
    reason = "outlives the request by nature: it ends with either connection or when the process drains, and a \
              failure is logged"
)]
pub(super) fn bridge(caller: OnUpgrade, function: Upgraded, draining: CancellationToken) {
    tokio::spawn(async move {
        tokio::select! {
            result = join(caller, function) => {
                if let Err(error) = result {
                    tracing::debug!(%error, "upgraded connection broke off");
                }
            }
            () = draining.cancelled() => {}
        }
    });
}

async fn join(caller: OnUpgrade, function: Upgraded) -> std::io::Result<()> {
    let (caller, function) = tokio::join!(caller, function);
    let mut caller = TokioIo::new(caller.map_err(std::io::Error::other)?);
    let mut function = function?.compat();
    tokio::io::copy_bidirectional(&mut caller, &mut function).await.map(|_| ())
}
