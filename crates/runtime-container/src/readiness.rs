//! What is reported of a function in job mode.

use crate::object::{self, Ground};
use crate::runtime::Shared;
use crate::{images, verdict};
use eventflow_domain::invocation::Failure;
use eventflow_domain::{FunctionVersion, Readiness, Timestamp};
use eventflow_runtime_http::warm::{NotStarted, condition};
use std::sync::Arc;
use std::time::Duration;

/// How long a pull is waited for before it is said that it goes on.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// It is ready when its image is there and may run.
pub(crate) async fn of_job(shared: &Arc<Shared>, version: &FunctionVersion) -> Readiness {
    let looked = look(shared, version).await;
    of(looked, shared.clock.now())
}

async fn look(shared: &Arc<Shared>, version: &FunctionVersion) -> Result<(), NotStarted> {
    let connected = shared.engine.get().await?;
    let image = images::ensure(shared, &connected, version).await?;
    let ground = Ground { config: &shared.config, about: &connected.about, image_user: &image.user };
    object::copy(ground, version, &[]).map(drop).map_err(object::unfit)
}

fn of(looked: Result<(), NotStarted>, now: Timestamp) -> Readiness {
    let ready = match looked {
        Ok(()) => {
            condition(Readiness::READY, true, "ImageFound", "each call starts a container of the image", now)
        }
        Err(NotStarted { failure: Failure { message, .. }, word }) => {
            condition(Readiness::READY, false, word, message, now)
        }
    };
    Readiness { conditions: vec![ready], ..Readiness::default() }
}

/// The image is not there yet.
pub(crate) fn pulling(now: Timestamp) -> Readiness {
    let text = "the image is being pulled; calls wait for it";
    Readiness {
        conditions: vec![condition(Readiness::READY, false, "ImagePulling", text, now)],
        ..Readiness::default()
    }
}

/// No engine answers.
pub(crate) fn away(why: &str, now: Timestamp) -> Readiness {
    let ready = condition(Readiness::READY, false, verdict::ENGINE_UNAVAILABLE, why, now);
    Readiness { conditions: vec![ready], ..Readiness::default() }
}
