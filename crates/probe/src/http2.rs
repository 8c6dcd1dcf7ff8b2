//! Pages by HTTP/2.

use bytes::Bytes;
use h2::client;
use http::header::USER_AGENT;
use http::{Request, Version};
use rlvs_check::machine::Adjust;
use rlvs_check::spec::{Method, Url};

use crate::fault::{Fault, Result};
use crate::http::{AGENT, Wanted, alongside};
use crate::stream::Stream;
use crate::target::Target;

/// The header fields of an answer may have this many bytes.
const HEAD: u32 = 64 << 10;

/// The request for a page.
pub(crate) fn get(host: &str, url: &Url, tls: bool) -> Result<Request<()>> {
    let scheme = if tls { "https" } else { "http" };
    Request::builder()
        .method(method(url))
        .uri(format!("{scheme}://{host}{}", url.path))
        .version(Version::HTTP_2)
        .header(USER_AGENT, AGENT)
        .body(())
        .map_err(|error| Fault::here(format!("{host} {:?}: {error}", url.path)))
}

/// Asks for a page.
pub(crate) async fn page(
    target: &Target,
    stream: Box<dyn Stream>,
    request: Request<()>,
    mut wanted: Wanted<'_>,
) -> Result<Adjust> {
    let handshake = client::Builder::new()
        .max_header_list_size(HEAD)
        .enable_push(false)
        .handshake::<_, Bytes>(stream);
    let (sender, connection) = target.wait("HTTP/2", handshake).await?;
    let work = async {
        let mut sender = target.wait("HTTP/2", sender.ready()).await?;
        let (answer, _) = sender.send_request(request, true)?;
        let answer = target.wait("the answer", answer).await?;
        wanted.status(answer.status().as_u16())?;
        let mut body = answer.into_body();
        while wanted.wants_more() {
            let next = async { body.data().await.transpose() };
            let Some(part) = target.wait("the body", next).await? else {
                break;
            };
            wanted.part(&part)?;
            body.flow_control().release_capacity(part.len())?;
        }
        wanted.end()
    };
    alongside(connection, work).await
}

impl From<h2::Error> for Fault {
    fn from(error: h2::Error) -> Self {
        Self::target(format!("HTTP/2: {error}"))
    }
}

fn method(url: &Url) -> http::Method {
    match url.method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
    }
}
