//! gRPC's health protocol: <https://github.com/grpc/grpc/blob/master/doc/health-checking.md>.
//!
//! One call with one field each way; the message is framed by hand.

use bytes::Bytes;
use h2::client;
use http::Request;
use rlvs_check::machine::Adjust;
use rlvs_check::spec::Grpc;

use crate::fault::{Fault, Result};
use crate::http::alongside;
use crate::stream::{self, Stream};
use crate::target::Target;
use crate::tls::Alpn;
use crate::tools::Tools;

const METHOD: &str = "/grpc.health.v1.Health/Check";
/// An answer has a few bytes.
const MOST: usize = 1024;
/// `HealthCheckResponse.ServingStatus`.
const SERVING: u64 = 1;

pub(crate) async fn run(target: &Target, grpc: &Grpc, tools: &Tools) -> Result<Adjust> {
    let host = grpc.virtual_host.clone();
    let tls = grpc.tls.as_ref();
    let stream = stream::connect(target, tls, host.as_deref(), Alpn::H2, tools).await?;
    let host = host.unwrap_or_else(|| target.address.to_string());
    let scheme = if tls.is_some() { "https" } else { "http" };
    let request = Request::post(format!("{scheme}://{host}{METHOD}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(())
        .map_err(|error| Fault::here(format!("virtual host {host:?}: {error}")))?;
    call(target, stream, request, question(&grpc.service)?).await
}

async fn call(
    target: &Target,
    stream: Box<dyn Stream>,
    request: Request<()>,
    question: Bytes,
) -> Result<Adjust> {
    let (sender, connection) = target.wait("HTTP/2", client::handshake(stream)).await?;
    let work = async {
        let mut sender = target.wait("HTTP/2", sender.ready()).await?;
        let (answer, mut body) = sender.send_request(request, false)?;
        body.send_data(question, true)?;
        let answer = target.wait("the answer", answer).await?;
        if let Some(status) = answer
            .headers()
            .get("grpc-status")
            .filter(|status| *status != "0")
        {
            return Err(Fault::target(format!("gRPC status {status:?}")));
        }
        let mut body = answer.into_body();
        let mut message = Vec::new();
        while message.len() < MOST {
            let next = async { body.data().await.transpose() };
            let Some(part) = target.wait("the answer", next).await? else {
                break;
            };
            message.extend_from_slice(&part);
            body.flow_control().release_capacity(part.len())?;
        }
        judge(&message)
    };
    alongside(connection, work).await
}

/// `HealthCheckRequest { string service = 1 }` in a frame: not compressed, and its length.
pub(crate) fn question(service: &str) -> Result<Bytes> {
    let length = u8::try_from(service.len())
        .ok()
        .filter(|length| *length < 128);
    let length = length.ok_or_else(|| Fault::here("gRPC service: the name is too long"))?;
    let mut message = Vec::new();
    if length > 0 {
        message.extend([0x0a, length]);
        message.extend(service.bytes());
    }
    let mut frame = vec![0, 0, 0, 0, message.len() as u8];
    frame.extend(message);
    Ok(frame.into())
}

/// `HealthCheckResponse { ServingStatus status = 1 }` in a frame.
fn judge(frame: &[u8]) -> Result<Adjust> {
    let status = match frame {
        [0, 0, 0, 0, 0] => 0,
        [0, 0, 0, 0, 2, 0x08, status] => u64::from(*status),
        _ => return Err(Fault::target("the answer is no gRPC health status")),
    };
    match status {
        SERVING => Ok(Adjust::Keep),
        2 => Err(Fault::target("not serving")),
        3 => Err(Fault::target("unknown service")),
        _ => Err(Fault::target(format!("serving status {status}"))),
    }
}
