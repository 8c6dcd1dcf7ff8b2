//! PostgreSQL: log in, and ask something.

use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::io;
use std::sync::Arc;

use futures::TryStreamExt;
use futures::future::BoxFuture;
use rlvs_check::machine::Adjust;
use rlvs_check::spec::{Database, Tls};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, TlsConnect, TlsStream};
use tokio_postgres::{Client, Config, NoTls, SimpleQueryMessage};

use crate::fault::{Fault, Result};
use crate::http::alongside;
use crate::stream::Stream;
use crate::target::Target;
use crate::tls::{self, Alpn};
use crate::tools::Tools;

pub(crate) async fn run(
    target: &Target,
    database: &Database,
    tools: &Arc<Tools>,
) -> Result<Adjust> {
    let mut config = Config::new();
    config
        .user(&database.login.name)
        .password(&database.login.password)
        .application_name("rlvs");
    if !database.database.is_empty() {
        config.dbname(&database.database);
    }
    let stream = target.tcp().await?;
    match &database.tls {
        None => {
            let login = config.ssl_mode(SslMode::Disable).connect_raw(stream, NoTls);
            let (client, connection) = target.wait("logging in", login).await?;
            alongside(connection, ask(target, client, database)).await
        }
        Some(tls) => {
            let start = Start {
                target: target.clone(),
                tls: tls.clone(),
                tools: tools.clone(),
            };
            let login = config.ssl_mode(SslMode::Require).connect_raw(stream, start);
            let (client, connection) = target.wait("logging in", login).await?;
            alongside(connection, ask(target, client, database)).await
        }
    }
}

/// One row is enough, and no more are read.
async fn ask(target: &Target, client: Client, database: &Database) -> Result<Adjust> {
    let Some(request) = &database.request else {
        return Ok(Adjust::Keep);
    };
    let first = async {
        let mut answers = pin!(client.simple_query_raw(request).await?);
        while let Some(answer) = answers.try_next().await? {
            if matches!(answer, SimpleQueryMessage::Row(_)) {
                return Ok::<_, Fault>(true);
            }
        }
        Ok(false)
    };
    match target.wait("the answer", first).await? {
        true => Ok(Adjust::Keep),
        false => Err(Fault::target("the query gives no row")),
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(error) => Self::target(format!("{}: {}", error.severity(), error.message())),
            None => {
                use core::error::Error;
                let source = error.source().map(|source| format!(": {source}"));
                Self::target(format!("{error}{}", source.unwrap_or_default()))
            }
        }
    }
}

/// Begins TLS when the server agrees to it.
struct Start {
    target: Target,
    tls: Tls,
    tools: Arc<Tools>,
}

impl TlsConnect<TcpStream> for Start {
    type Stream = Secured;
    type Error = Fault;
    type Future = BoxFuture<'static, Result<Secured>>;

    fn connect(self, stream: TcpStream) -> Self::Future {
        Box::pin(async move {
            let (target, tls) = (&self.target, &self.tls);
            let stream = tls::begin(target, stream, tls, None, Alpn::None, &self.tools).await?;
            Ok(Secured(stream))
        })
    }
}

/// A connection with TLS, in the terms of the client.
struct Secured(Box<dyn Stream>);

impl TlsStream for Secured {
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        buffer: &mut ReadBuf,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
