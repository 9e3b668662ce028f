//! Who may read the metrics: whoever the API server says may `get` the path. Reaching the port is not enough.

use axum::Router;
use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use k8s_openapi::api::authentication::v1::{TokenReview, TokenReviewSpec};
use k8s_openapi::api::authorization::v1::{
    NonResourceAttributes, SubjectAccessReview, SubjectAccessReviewSpec,
};
use kube::api::PostParams;
use kube::{Api, Client};
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long an answer is remembered, and how many are.
const REMEMBERED: Duration = Duration::from_secs(60);
const MOST: usize = 256;
/// Bytes of a token.
const LONGEST: usize = 16 << 10;

type Answers = Mutex<HashMap<([u8; 32], String), (Instant, bool)>>;

#[derive(Clone)]
struct Reviews {
    client: Client,
    answers: Arc<Answers>,
}

/// `router`, for those whom the cluster allows its paths.
pub fn authorized(router: Router, client: Client) -> Router {
    router.layer(from_fn_with_state(Reviews { client, answers: Arc::default() }, check))
}

async fn check(State(reviews): State<Reviews>, request: Request, next: Next) -> Response {
    let token = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let token = token.and_then(|text| text.strip_prefix("Bearer ")).filter(|token| token.len() <= LONGEST);
    let Some(token) = token else {
        return (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Bearer")], "a token is needed\n")
            .into_response();
    };
    match reviews.may(token, request.uri().path()).await {
        Ok(true) => next.run(request).await,
        Ok(false) => (StatusCode::FORBIDDEN, "the token may not read this\n").into_response(),
        Err(error) => {
            tracing::warn!(error = %eventflow_domain::error::Chain(&error), "failed to ask who reads the metrics");
            (StatusCode::SERVICE_UNAVAILABLE, "the API server does not answer\n").into_response()
        }
    }
}

impl Reviews {
    async fn may(&self, token: &str, path: &str) -> kube::Result<bool> {
        let id = (Sha256::digest(token).into(), path.to_owned());
        if let Some((asked, may)) = self.answers.lock().get(&id)
            && asked.elapsed() < REMEMBERED
        {
            return Ok(*may);
        }
        let may = self.ask(token, path).await?;
        let mut answers = self.answers.lock();
        if answers.len() >= MOST {
            answers.clear();
        }
        answers.insert(id, (Instant::now(), may));
        Ok(may)
    }

    async fn ask(&self, token: &str, path: &str) -> kube::Result<bool> {
        let review = TokenReview {
            spec: TokenReviewSpec { token: Some(token.to_owned()), audiences: None },
            ..TokenReview::default()
        };
        let review = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        let status = review.status.unwrap_or_default();
        let Some(user) = status.user.filter(|_| status.authenticated == Some(true)) else { return Ok(false) };
        let review = SubjectAccessReview {
            spec: SubjectAccessReviewSpec {
                user: user.username,
                groups: user.groups,
                uid: user.uid,
                extra: user.extra,
                non_resource_attributes: Some(NonResourceAttributes {
                    path: Some(path.to_owned()),
                    verb: Some("get".to_owned()),
                }),
                resource_attributes: None,
            },
            ..SubjectAccessReview::default()
        };
        let review = Api::all(self.client.clone()).create(&PostParams::default(), &review).await?;
        Ok(review.status.is_some_and(|status| status.allowed))
    }
}
