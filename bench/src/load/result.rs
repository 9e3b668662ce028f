//! An async call until its result can be read.

use super::{Caller, HttpCaller, Request};
use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use serde_json::Value;

/// Makes a call and waits for its end on the same connection.
#[derive(Debug)]
pub(crate) struct ResultCaller {
    caller: HttpCaller,
    address: String,
    token: String,
}

impl ResultCaller {
    pub(crate) async fn connect(address: &str, request: &Request, token: &str) -> Result<Self> {
        let caller = HttpCaller::connect(address, request, 202).await?;
        Ok(Self { caller, address: address.to_owned(), token: token.to_owned() })
    }
}

impl Caller for ResultCaller {
    async fn call(&mut self) -> Result<bool> {
        let (status, body) = self.caller.exchange().await?;
        ensure!(status == 202, "not accepted: {status} {}", String::from_utf8_lossy(&body));
        let answer: Value = serde_json::from_slice(&body)?;
        let id = answer.get("id").and_then(Value::as_str).context("no id in the answer")?;
        let record = Request {
            method: "GET",
            body: Bytes::new(),
            ..Request::post(format!("/v1/invocations/{id}?wait=60s"), Bytes::new()).with_token(&self.token)
        };
        let (status, body) = self.caller.exchange_other(&record.bytes(&self.address)).await?;
        let record: Value = serde_json::from_slice(&body)?;
        Ok(status == 200 && record.get("state").and_then(Value::as_str) == Some("SUCCEEDED"))
    }
}
