use super::*;

fn failure(status: u16, headers: &[(HeaderName, &'static str)]) -> Option<(Reason, Option<u64>)> {
    let headers =
        headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
    let failure = status_failure(StatusCode::from_u16(status).expect("a status"), &headers)?;
    Some((failure.reason, failure.retry_after.map(|after| after.as_secs())))
}

#[test]
fn statuses_mean_what_the_contract_says() {
    assert_eq!([200, 204, 302].map(|status| failure(status, &[])), [None, None, None]);
    assert_eq!(failure(500, &[]), Some((Reason::ServerError, None)));
    assert_eq!(failure(404, &[]), Some((Reason::ClientError, None)));
    assert_eq!(failure(429, &[(RETRY_AFTER, "7")]), Some((Reason::TooManyRequests, Some(7))));
    assert_eq!(failure(429, &[(RETRY_AFTER, "soon")]), Some((Reason::TooManyRequests, None)));
    assert_eq!(failure(503, &[(RETRY_AFTER, "2")]), Some((Reason::ServerError, Some(2))));
}

#[tokio::test]
async fn an_answer_is_bounded_and_its_break_has_a_reason() {
    let body = |chunks: Vec<io::Result<Bytes>>| futures::stream::iter(chunks).boxed();
    let chunk = |text: &'static str| Ok(Bytes::from_static(text.as_bytes()));
    assert_eq!(collect(body(vec![chunk("ab"), chunk("cd")]), 4).await.expect("whole"), "abcd");
    let over = collect(body(vec![chunk("ab"), chunk("cde")]), 4).await.expect_err("too large");
    assert_eq!(over.reason, Reason::ResultTooLarge);
    let late = collect(body(vec![chunk("ab"), Err(io::ErrorKind::TimedOut.into())]), 4).await;
    assert_eq!(late.expect_err("late").reason, Reason::Timeout);
    let cut = collect(body(vec![Err(io::ErrorKind::ConnectionReset.into())]), 4).await;
    assert_eq!(cut.expect_err("cut").reason, Reason::NoAnswer);
}
