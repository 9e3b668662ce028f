//! Images: there, or pulled, once for all calls that need one.

use crate::engine::{Connected, status, told};
use crate::object;
use crate::runtime::Shared;
use crate::verdict::IMAGE_PULL_FAILED;
use bollard::Docker;
use bollard::query_parameters::CreateImageOptionsBuilder;
use eventflow_domain::FunctionVersion;
use eventflow_domain::invocation::{Failure, Reason};
use eventflow_runtime_http::warm::NotStarted;
use futures::TryStreamExt as _;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// Images pulled at once.
const AT_ONCE: usize = 4;
/// For one image: the longest start deadline.
const PATIENCE: Duration = Duration::from_secs(3600);

/// `None` while it is pulled.
type Pulled = Option<Result<(), String>>;

/// An image that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// As whom it runs; empty is root.
    pub(crate) user: String,
}

#[derive(Debug)]
pub(crate) struct Images {
    pulls: Arc<Mutex<HashMap<String, watch::Receiver<Pulled>>>>,
    places: Arc<Semaphore>,
}

impl Default for Images {
    fn default() -> Self {
        Self { pulls: Arc::default(), places: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Policy {
    Always,
    IfNotPresent,
    Never,
}

/// What is not said is `IfNotPresent`, also of `latest`: an image that was built on this machine is in no registry.
fn policy(version: &FunctionVersion) -> Policy {
    match version.spec.pod.image_pull_policy.as_deref() {
        Some("Always") => Policy::Always,
        Some("Never") => Policy::Never,
        _ => Policy::IfNotPresent,
    }
}

/// Makes sure that the version's image is there, as its pull policy says.
pub(crate) async fn ensure(
    shared: &Arc<Shared>,
    connected: &Connected,
    version: &FunctionVersion,
) -> Result<Found, NotStarted> {
    let image = object::image(version)?;
    let policy = policy(version);
    if policy != Policy::Always
        && let Some(found) = look(shared, &connected.docker, image).await?
    {
        return Ok(found);
    }
    if policy == Policy::Never {
        let text = format!("{image} is not there, and imagePullPolicy is Never");
        return Err(failed(&text, image));
    }
    pull(shared, &connected.docker, image).await.map_err(|why| failed(&why, image))?;
    look(shared, &connected.docker, image).await?.ok_or_else(|| failed("the engine pulled nothing", image))
}

fn failed(why: &str, image: &str) -> NotStarted {
    let text = format!(
        "{IMAGE_PULL_FAILED}: {why}; check `image`, or bring it to the engine yourself: docker (or podman) pull {image}"
    );
    NotStarted { failure: Failure::new(Reason::StartFailed, text), word: IMAGE_PULL_FAILED }
}

async fn look(shared: &Shared, docker: &Docker, image: &str) -> Result<Option<Found>, NotStarted> {
    match docker.inspect_image(image).await {
        Ok(found) => {
            let user = found.config.and_then(|config| config.user).unwrap_or_default();
            Ok(Some(Found { user }))
        }
        Err(error) if status(&error) == Some(404) => Ok(None),
        Err(error) => Err(shared.engine.refused(&error)),
    }
}

/// Joins the pull that goes on, or begins one, which goes on also when nobody waits for it any more.
async fn pull(shared: &Arc<Shared>, docker: &Docker, image: &str) -> Result<(), String> {
    let images = &shared.images;
    let mut heard = {
        let mut pulls = images.pulls.lock();
        if let Some(heard) = pulls.get(image) {
            heard.clone()
        } else {
            let (tell, heard) = watch::channel(None);
            pulls.insert(image.to_owned(), heard.clone());
            begin(shared, docker.clone(), image.to_owned(), tell);
            heard
        }
    };
    let pulled = heard.wait_for(Option::is_some).await.map(|pulled| pulled.clone());
    pulled.ok().flatten().unwrap_or_else(|| Err("the server is shutting down".to_owned()))
}

fn begin(shared: &Arc<Shared>, docker: Docker, image: String, tell: watch::Sender<Pulled>) {
    let (pulls, places) = (Arc::clone(&shared.images.pulls), Arc::clone(&shared.images.places));
    let closing = shared.tasks.closing().clone();
    shared.tasks.spawn(async move {
        let pulling = async {
            let _place = places.acquire().await;
            tracing::info!(image, "pulling an image");
            tokio::time::timeout(PATIENCE, pull_now(&docker, &image)).await
        };
        let pulled = tokio::select! {
            pulled = pulling => pulled.unwrap_or_else(|_| Err("the pull did not end within an hour".to_owned())),
            () = closing.cancelled() => Err("the server is shutting down".to_owned()),
        };
        if let Err(why) = &pulled {
            tracing::warn!(image, why, "an image could not be pulled");
        }
        pulls.lock().remove(&image);
        tell.send_replace(Some(pulled));
    });
}

async fn pull_now(docker: &Docker, image: &str) -> Result<(), String> {
    let whole = with_tag(image);
    let options = CreateImageOptionsBuilder::new().from_image(&whole).build();
    let mut progress = docker.create_image(Some(options), None, None);
    while progress.try_next().await.map_err(|error| told(&error))?.is_some() {}
    Ok(())
}

/// A reference without tag and digest would be all tags there are.
fn with_tag(image: &str) -> String {
    let last = image.rsplit_once('/').map_or(image, |(_, last)| last);
    if last.contains([':', '@']) { image.to_owned() } else { format!("{image}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_tag_is_latest_and_a_registrys_port_is_no_tag() {
        assert_eq!(with_tag("nginx"), "nginx:latest");
        assert_eq!(with_tag("localhost:5000/a/b"), "localhost:5000/a/b:latest");
        assert_eq!(with_tag("localhost:5000/a/b:1"), "localhost:5000/a/b:1");
        assert_eq!(with_tag("a@sha256:00"), "a@sha256:00");
    }
}
