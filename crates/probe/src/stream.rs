//! Connections, plain or with TLS.

use rlvs_check::spec::Tls;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::fault::Result;
use crate::patient::Patient;
use crate::target::Target;
use crate::tls::{self, Alpn};
use crate::tools::Tools;

/// A connection, plain or with TLS.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection to the target; with TLS if `tls` says so.
pub(crate) async fn connect(
    target: &Target,
    tls: Option<&Tls>,
    virtual_host: Option<&str>,
    alpn: Alpn,
    tools: &Tools,
) -> Result<Box<dyn Stream>> {
    let socket = target.connect().await?;
    match tls {
        // A handshake needs much room, which checks without TLS do not have to take.
        Some(tls) => {
            let stream = TcpStream::from_std(socket.into())?;
            Box::pin(tls::begin(target, stream, tls, virtual_host, alpn, tools)).await
        }
        None => Ok(Box::new(Patient::new(socket.into()))),
    }
}
