//! HTTP/1.1 over one kept connection. The request is bytes made beforehand and of the answer only what ends it is
//! read, so that the load costs as little as it can beside what it measures.

use super::Caller;
use anyhow::{Context as _, Result, bail};
use bytes::{Bytes, BytesMut};
use std::fmt::Write as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A head larger than this is no answer of ours.
const MAX_HEAD: usize = 16 << 10;

/// What is sent again and again.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    pub(crate) content_type: &'static str,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn post(path: impl Into<String>, body: impl Into<Bytes>) -> Self {
        let content_type = "application/octet-stream";
        Self { method: "POST", path: path.into(), token: None, content_type, body: body.into() }
    }

    pub(crate) fn with_token(self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self }
    }

    pub(super) fn bytes(&self, host: &str) -> Bytes {
        let Self { method, path, token, content_type, body } = self;
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {content_type}\r\n");
        if let Some(token) = token {
            let _ = write!(head, "Authorization: Bearer {token}\r\n");
        }
        let _ = write!(head, "Content-Length: {}\r\n\r\n", body.len());
        let mut bytes = BytesMut::from(head.as_bytes());
        bytes.extend_from_slice(body);
        bytes.freeze()
    }
}

#[derive(Debug)]
pub(crate) struct HttpCaller {
    stream: TcpStream,
    request: Bytes,
    expected: u16,
    buffer: BytesMut,
}

impl HttpCaller {
    /// `expected`: the status of a good answer.
    pub(crate) async fn connect(address: &str, request: &Request, expected: u16) -> Result<Self> {
        let stream =
            TcpStream::connect(address).await.with_context(|| format!("failed to reach {address}"))?;
        stream.set_nodelay(true)?;
        let (request, buffer) = (request.bytes(address), BytesMut::with_capacity(4 << 10));
        Ok(Self { stream, request, expected, buffer })
    }

    pub(crate) async fn connect_all(
        address: &str,
        request: &Request,
        expected: u16,
        count: usize,
    ) -> Result<Vec<Self>> {
        let mut callers = Vec::with_capacity(count);
        for _ in 0..count {
            callers.push(Self::connect(address, request, expected).await?);
        }
        Ok(callers)
    }

    /// One call; its status and body.
    pub(crate) async fn exchange(&mut self) -> Result<(u16, Bytes)> {
        let request = self.request.clone();
        self.exchange_other(&request).await
    }

    /// Another request on the same connection.
    pub(super) async fn exchange_other(&mut self, request: &[u8]) -> Result<(u16, Bytes)> {
        let head = self.round_trip(request).await?;
        Ok((head.status, Bytes::copy_from_slice(self.buffer.get(head.len..).unwrap_or_default())))
    }

    async fn round_trip(&mut self, request: &[u8]) -> Result<Head> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head = loop {
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
            self.read().await?;
        };
        while !head.ends(&self.buffer) {
            self.read().await?;
        }
        Ok(head)
    }

    async fn read(&mut self) -> Result<()> {
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            bail!("the server closed the connection within an answer");
        }
        Ok(())
    }
}

impl Caller for HttpCaller {
    async fn call(&mut self) -> Result<bool> {
        let request = self.request.clone();
        Ok(self.round_trip(&request).await?.status == self.expected)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Head {
    status: u16,
    len: usize,
    /// `None`: chunked.
    body: Option<usize>,
}

impl Head {
    /// `None` as long as the head is not whole.
    fn parse(bytes: &[u8]) -> Result<Option<Self>> {
        let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
            anyhow::ensure!(bytes.len() < MAX_HEAD, "an answer's head is too large");
            return Ok(None);
        };
        let head = std::str::from_utf8(bytes.get(..end).unwrap_or_default())?;
        let mut lines = head.split("\r\n");
        let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
        let status = status.context("an answer without a status")?;
        let mut body = Some(0);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                body = Some(value.trim().parse()?);
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                body = None;
            }
        }
        Ok(Some(Self { status, len: end + 4, body }))
    }

    fn ends(&self, bytes: &[u8]) -> bool {
        match self.body {
            Some(len) => bytes.len() >= self.len + len,
            // One request at a time, and no payload of ours ends so.
            None => bytes.get(self.len..).is_some_and(|body| body.ends_with(b"0\r\n\r\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_ends_with_its_length_or_its_last_chunk() {
        let sized = b"HTTP/1.1 202 Accepted\r\nContent-length: 3\r\n\r\n";
        let head = Head::parse(sized).unwrap().unwrap();
        assert_eq!(head, Head { status: 202, len: sized.len(), body: Some(3) });
        assert!(!head.ends(sized));
        assert!(head.ends(&[sized.as_slice(), b"abc"].concat()));

        let chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n".to_vec();
        let head = Head::parse(&chunked).unwrap().unwrap();
        assert!(!head.ends(&chunked));
        assert!(head.ends(&[chunked, b"0\r\n\r\n".to_vec()].concat()));

        assert_eq!(Head::parse(b"HTTP/1.1 200 OK\r\ncontent-le").unwrap(), None);
    }
}
