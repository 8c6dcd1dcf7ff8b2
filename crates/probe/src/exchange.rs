//! Something is sent, the answer is looked at.

use rlvs_check::machine::Adjust;
use rlvs_check::spec::{Exchange, Sip};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::fault::{Fault, Result};
use crate::regex::Matcher;
use crate::stream::{self, Stream};
use crate::target::Target;
use crate::tls::Alpn;
use crate::tools::Tools;

/// An answer is looked at as far as this.
const MOST: usize = 64 << 10;

pub(crate) async fn run(target: &Target, exchange: &Exchange, tools: &Tools) -> Result<Adjust> {
    let tls = exchange.tls.as_ref();
    let receive = exchange.receive.as_ref();
    let matcher = receive.map(|regex| tools.matcher(regex)).transpose()?;
    let mut stream = stream::connect(target, tls, None, Alpn::None, tools).await?;
    let request = exchange.request.as_bytes();
    target.wait("sending", stream.write_all(request)).await?;
    listen(target, &mut *stream, matcher.as_deref()).await
}

/// Reads until the answer is as wanted, or ends.
async fn listen(
    target: &Target,
    stream: &mut dyn Stream,
    matcher: Option<&Matcher>,
) -> Result<Adjust> {
    let mut answer = Vec::with_capacity(1024);
    while answer.len() < MOST {
        let length = target
            .wait("the answer", stream.read_buf(&mut answer))
            .await?;
        let wanted = match matcher {
            Some(matcher) => matcher.accepts(&answer).map_err(Fault::Target)?,
            None => !answer.is_empty(),
        };
        if wanted {
            return Ok(Adjust::Keep);
        }
        if length == 0 {
            break;
        }
    }
    Err(match answer.is_empty() {
        true => Fault::target("the connection was closed without an answer"),
        false => crate::talk::unexpected(&String::from_utf8_lossy(&answer)),
    })
}

/// OPTIONS is answered (RFC 3261, 11).
pub(crate) async fn sip(target: &Target, sip: &Sip, tools: &Tools) -> Result<Adjust> {
    let matcher = sip
        .receive
        .as_ref()
        .map(|regex| tools.matcher(regex))
        .transpose()?;
    let answer = match sip.udp {
        true => sip_by_udp(target, sip).await?,
        false => sip_by_tcp(target, sip).await?,
    };
    let wanted = match matcher {
        Some(matcher) => matcher.accepts(&answer).map_err(Fault::Target)?,
        None => answer.starts_with(b"SIP/2.0 200 "),
    };
    match wanted {
        true => Ok(Adjust::Keep),
        false => {
            let text = String::from_utf8_lossy(&answer);
            Err(crate::talk::unexpected(
                text.lines().next().unwrap_or_default(),
            ))
        }
    }
}

async fn sip_by_udp(target: &Target, sip: &Sip) -> Result<Vec<u8>> {
    let socket = target.udp().await?;
    let from = socket.local_addr()?;
    socket
        .send(options(target, sip, "UDP", &from.to_string())?.as_bytes())
        .await?;
    let mut answer = vec![0; MOST];
    let length = target.wait("the answer", socket.recv(&mut answer)).await?;
    answer.truncate(length);
    Ok(answer)
}

async fn sip_by_tcp(target: &Target, sip: &Sip) -> Result<Vec<u8>> {
    let mut stream = target.tcp().await?;
    let from = stream.local_addr()?;
    let request = options(target, sip, "TCP", &from.to_string())?;
    target
        .wait("sending", stream.write_all(request.as_bytes()))
        .await?;
    let mut answer = Vec::with_capacity(1024);
    while answer.len() < MOST && !answer.windows(4).any(|end| end == b"\r\n\r\n") {
        if target
            .wait("the answer", stream.read_buf(&mut answer))
            .await?
            == 0
        {
            break;
        }
    }
    Ok(answer)
}

fn options(target: &Target, sip: &Sip, protocol: &str, from: &str) -> Result<String> {
    let login = match sip.login.as_str() {
        "" => format!("rlvs@{}", target.address),
        login if login.contains(['\r', '\n', ' ', '>']) => {
            return Err(Fault::here(format!("\"{login}\" is no SIP name")));
        }
        login => login.to_owned(),
    };
    let (branch, tag, call) = (fastrand::u64(..), fastrand::u32(..), fastrand::u64(..));
    Ok(format!(
        "OPTIONS sip:{login} SIP/2.0\r\n\
         Via: SIP/2.0/{protocol} {from};branch=z9hG4bK{branch:016x}\r\n\
         Max-Forwards: 70\r\n\
         To: <sip:{login}>\r\n\
         From: <sip:{login}>;tag={tag:08x}\r\n\
         Call-ID: {call:016x}@{from}\r\n\
         CSeq: 1 OPTIONS\r\n\
         Contact: <sip:rlvs@{from}>\r\n\
         Accept: application/sdp\r\n\
         Content-Length: 0\r\n\r\n"
    ))
}
