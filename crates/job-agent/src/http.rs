//! One request on one connection.

use crate::Fault;
use crate::settings::Settings;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Empty, StreamBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::header::{AUTHORIZATION, CONTENT_LENGTH, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use std::io;
use std::time::Duration;
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// For a connection, and for the next bytes.
const PATIENCE: Duration = Duration::from_secs(15);
const CHUNK: usize = 64 << 10;

/// The payload into its file; how many bytes.
pub(crate) async fn fetch(settings: &Settings) -> Result<u64, Fault> {
    let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
    let response = send(settings, Method::GET, "payload", None, body).await?;
    let expected =
        response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    // Under another name until it is whole: the function never sees a part of it.
    let partial = settings.file.with_extension("part");
    let mut file = File::create(&partial).await.map_err(|error| final_io(&error))?;
    let (mut body, mut written) = (response.into_body(), 0);
    while let Some(frame) = timely(body.frame()).await? {
        let frame = frame.map_err(|error| Fault::Later(error.to_string()))?;
        if let Ok(bytes) = frame.into_data() {
            written += bytes.len() as u64;
            file.write_all(&bytes).await.map_err(|error| final_io(&error))?;
        }
    }
    if expected.is_some_and(|expected| expected != written) {
        return Err(Fault::Later("the payload broke off".to_owned()));
    }
    file.flush().await.map_err(|error| final_io(&error))?;
    drop(file);
    readable_by_all(&partial).map_err(|error| final_io(&error))?;
    std::fs::rename(&partial, &settings.file).map_err(|error| final_io(&error))?;
    Ok(written)
}

/// The function may run as anybody.
fn readable_by_all(path: &std::path::Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o444))
}

/// The result from its file; how many bytes.
pub(crate) async fn upload(settings: &Settings) -> Result<u64, Fault> {
    let file = File::open(&settings.file).await.map_err(|error| final_io(&error))?;
    let size = file.metadata().await.map_err(|error| final_io(&error))?.len();
    let chunks = futures::stream::try_unfold((file, vec![0; CHUNK]), |(mut file, mut buffer)| async move {
        let count = file.read(&mut buffer).await?;
        let bytes = Bytes::copy_from_slice(buffer.get(..count).unwrap_or_default());
        Ok::<_, io::Error>((count > 0).then_some((Frame::data(bytes), (file, buffer))))
    });
    let body = StreamBody::new(chunks).boxed_unsync();
    send(settings, Method::PUT, "result", Some(size), body).await?;
    Ok(size)
}

async fn send(
    settings: &Settings,
    method: Method,
    what: &str,
    length: Option<u64>,
    body: Body,
) -> Result<Response<Incoming>, Fault> {
    let stream = timely(TcpStream::connect((settings.host.trim_matches(['[', ']']), settings.port))).await?;
    let stream = stream.map_err(|error| Fault::Later(error.to_string()))?;
    let later = |error: hyper::Error| Fault::Later(error.to_string());
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(later)?;
    let request = Request::builder()
        .method(method)
        .uri(format!("{}/{what}", settings.path))
        .header(HOST, format!("{}:{}", settings.host, settings.port))
        .header(AUTHORIZATION, format!("Bearer {}", settings.token));
    let request = match length {
        Some(length) => request.header(CONTENT_LENGTH, length),
        None => request,
    };
    let request = request.body(body).map_err(|error| Fault::Final(error.to_string()))?;
    #[expect(
        clippy::disallowed_methods,
        reason = "one connection in a process of its own, which ends with it"
    )]
    drop(tokio::spawn(connection));
    let response = sender.send_request(request).await.map_err(later)?;
    refused(response).await
}

/// The answer, if it is a good one.
async fn refused(response: Response<Incoming>) -> Result<Response<Incoming>, Fault> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let text = match timely(response.into_body().collect()).await? {
        Ok(body) => String::from_utf8_lossy(&body.to_bytes()).into_owned(),
        Err(error) => error.to_string(),
    };
    let told = format!("{}: {}", status.as_u16(), text.chars().take(500).collect::<String>());
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        return Err(Fault::Later(told));
    }
    Err(Fault::Final(told))
}

async fn timely<T>(step: impl Future<Output = T>) -> Result<T, Fault> {
    tokio::time::timeout(PATIENCE, step).await.map_err(|_| Fault::Later("no answer in time".to_owned()))
}

/// A file system that refuses does not change its mind.
fn final_io(error: &io::Error) -> Fault {
    Fault::Final(error.to_string())
}
