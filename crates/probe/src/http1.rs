//! Pages by HTTP/1.0 and 1.1 (RFC 9112).
//!
//! httparse reads heads and the sizes of chunks. A client library would take 16 KB for each answer that
//! is waited for, of which there are thousands when servers are slow.

use http::{HeaderValue, Uri};
use httparse::{EMPTY_HEADER, Header, Response, Status, parse_chunk_size};
use rlvs_check::machine::Adjust;
use rlvs_check::spec::{Method, Url, Version};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fault::{Fault, Result};
use crate::http::{AGENT, Wanted};
use crate::stream::Stream;
use crate::target::Target;

/// The head of an answer may have this many bytes.
const HEAD: usize = 64 << 10;
/// It may have this many fields.
const FIELDS: usize = 128;
/// Not more answers than this may come before the final one (RFC 9110, 15.2).
const INTERIM: usize = 8;
/// What is read at once: most answers fit into the first.
const FIRST: usize = 1 << 10;
const LATER: usize = 8 << 10;

/// The request for a page.
pub(crate) fn get(host: &str, url: &Url, version: Version) -> Result<String> {
    let path: Uri = url
        .path
        .parse()
        .map_err(|error| Fault::here(format!("path {:?}: {error}", url.path)))?;
    HeaderValue::from_str(host)
        .map_err(|error| Fault::here(format!("virtual host {host:?}: {error}")))?;
    let method = match url.method {
        Method::Get => "GET",
        Method::Head => "HEAD",
    };
    let number = if version == Version::Http11 { 1 } else { 0 };
    let close = match version {
        Version::Http10Close | Version::Http11 => "Connection: close\r\n",
        _ => "",
    };
    Ok(format!(
        "{method} {path} HTTP/1.{number}\r\nUser-Agent: {AGENT}\r\n{close}Host: {host}\r\n\r\n"
    ))
}

/// Asks for a page.
pub(crate) async fn page(
    target: &Target,
    mut stream: Box<dyn Stream>,
    request: String,
    mut wanted: Wanted<'_>,
) -> Result<Adjust> {
    target
        .wait("sending", stream.write_all(request.as_bytes()))
        .await?;
    drop(request);
    let mut answer = Answer {
        target,
        stream,
        bytes: Vec::new(),
        taken: 0,
    };
    let head = answer.head().await?;
    wanted.status(head.status)?;
    match head.body(wanted.method()) {
        Body::Empty => {}
        Body::Length(length) => answer.body(length, &mut wanted).await?,
        Body::Chunks => answer.chunks(&mut wanted).await?,
        Body::ToEnd => answer.remainder(&mut wanted).await?,
    }
    wanted.end()
}

/// What an answer's head says.
#[derive(Clone, Copy, Debug)]
struct Head {
    status: u16,
    chunked: bool,
    length: Option<u64>,
}

/// How far a body goes (RFC 9112, 6.3).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Body {
    Empty,
    Length(u64),
    Chunks,
    ToEnd,
}

impl Head {
    fn new(status: u16, fields: &[Header<'_>]) -> Result<Self> {
        let mut head = Self {
            status,
            chunked: false,
            length: None,
        };
        for field in fields {
            if field.name.eq_ignore_ascii_case("transfer-encoding") {
                head.chunked = field.value.to_ascii_lowercase().ends_with(b"chunked");
            } else if field.name.eq_ignore_ascii_case("content-length") {
                let length = str::from_utf8(field.value).ok();
                let length = length.and_then(|length| length.trim().parse().ok());
                head.length = Some(length.ok_or_else(|| invalid("length of the body"))?);
            }
        }
        Ok(head)
    }

    fn body(&self, method: Method) -> Body {
        match (method, self.status, self.chunked, self.length) {
            (Method::Head, ..) | (_, 204 | 304, ..) => Body::Empty,
            (_, _, true, _) => Body::Chunks,
            (_, _, _, Some(length)) => Body::Length(length),
            _ => Body::ToEnd,
        }
    }
}

/// An answer that is read.
struct Answer<'a> {
    target: &'a Target,
    stream: Box<dyn Stream>,
    bytes: Vec<u8>,
    /// So many of them are done with.
    taken: usize,
}

impl Answer<'_> {
    /// The head of the final answer.
    async fn head(&mut self) -> Result<Head> {
        for _ in 0..INTERIM {
            let head = loop {
                match parse(self.rest())? {
                    Status::Complete((head, length)) => {
                        self.taken += length;
                        break head;
                    }
                    Status::Partial if self.rest().len() > HEAD => {
                        return Err(Fault::target("the answer's head is too large"));
                    }
                    Status::Partial => self.must_read("the answer").await?,
                }
            };
            if head.status >= 200 {
                return Ok(head);
            }
        }
        Err(Fault::target("no final answer"))
    }

    async fn body(&mut self, mut length: u64, wanted: &mut Wanted<'_>) -> Result<()> {
        while length > 0 && wanted.wants_more() {
            if self.rest().is_empty() {
                self.must_read("the body").await?;
            }
            let part = self.rest();
            let part = &part[..part
                .len()
                .min(usize::try_from(length).unwrap_or(usize::MAX))];
            wanted.part(part)?;
            let done = part.len();
            self.taken += done;
            length -= done as u64;
        }
        Ok(())
    }

    async fn remainder(&mut self, wanted: &mut Wanted<'_>) -> Result<()> {
        loop {
            wanted.part(self.rest())?;
            self.taken = self.bytes.len();
            if !wanted.wants_more() || self.read("the body").await? == 0 {
                return Ok(());
            }
        }
    }

    async fn chunks(&mut self, wanted: &mut Wanted<'_>) -> Result<()> {
        while wanted.wants_more() {
            let size = match parse_chunk_size(self.rest()).map_err(|_| invalid("chunk"))? {
                Status::Complete((length, size)) => {
                    self.taken += length;
                    size
                }
                Status::Partial if self.rest().len() > HEAD => return Err(invalid("chunk")),
                Status::Partial => {
                    self.must_read("the body").await?;
                    continue;
                }
            };
            if size == 0 {
                return Ok(());
            }
            self.body(size, wanted).await?;
            while wanted.wants_more() && self.rest().len() < 2 {
                self.must_read("the body").await?;
            }
            self.taken += 2.min(self.rest().len());
        }
        Ok(())
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// An error at the end.
    async fn must_read(&mut self, what: &str) -> Result<()> {
        match self.read(what).await? {
            0 => Err(Fault::target(format!(
                "connection closed before {what} was complete"
            ))),
            _ => Ok(()),
        }
    }

    async fn read(&mut self, what: &str) -> Result<usize> {
        self.bytes.drain(..self.taken);
        self.taken = 0;
        let first = self.bytes.capacity() == 0;
        self.bytes.reserve(if first { FIRST } else { LATER });
        let read = self.stream.read_buf(&mut self.bytes);
        self.target.wait(what, read).await
    }
}

fn parse(bytes: &[u8]) -> Result<Status<(Head, usize)>> {
    let mut fields = [EMPTY_HEADER; FIELDS];
    let mut response = Response::new(&mut fields);
    let parsed = response
        .parse(bytes)
        .map_err(|error| Fault::target(format!("no HTTP: {error}")))?;
    Ok(match (parsed, response.code) {
        (Status::Complete(length), Some(code)) => {
            Status::Complete((Head::new(code, response.headers)?, length))
        }
        _ => Status::Partial,
    })
}

fn invalid(what: &str) -> Fault {
    Fault::target(format!("invalid {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(head: &str, method: Method) -> Result<Body> {
        match parse(head.as_bytes())? {
            Status::Complete((head, _)) => Ok(head.body(method)),
            Status::Partial => Err(Fault::target("partial")),
        }
    }

    #[test]
    fn a_body_goes_as_far_as_its_head_says() {
        let of = |fields| body(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n"), Method::Get).unwrap();
        assert_eq!(of(""), Body::ToEnd);
        assert_eq!(of("content-length: 5\r\n"), Body::Length(5));
        assert_eq!(of("Transfer-Encoding: gzip, Chunked\r\n"), Body::Chunks);
        let both = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n";
        assert_eq!(of(both), Body::Chunks);
        let five = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\n";
        assert_eq!(body(five, Method::Head).unwrap(), Body::Empty);
        let none = "HTTP/1.1 204 No Content\r\n\r\n";
        assert_eq!(body(none, Method::Get).unwrap(), Body::Empty);
    }

    #[test]
    fn a_length_that_is_none_is_an_error() {
        for length in ["-1", "five", "99999999999999999999", ""] {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            let error = body(&head, Method::Get).unwrap_err().to_string();
            assert_eq!(error, "invalid length of the body");
        }
    }
}
