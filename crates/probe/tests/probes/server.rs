//! Servers for checks to ask.

use std::net::SocketAddr;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream, UdpSocket};

/// A server that does this with each connection.
pub(crate) async fn tcp<F, W>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// A server that answers datagrams.
pub(crate) async fn udp(answer: impl Fn(&[u8]) -> Option<Vec<u8>> + Send + 'static) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            if let Some(answer) = answer(&buffer[..length]) {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    });
    address
}

/// A server that sends the same to all, whatever they ask, and then closes.
pub(crate) async fn says(answer: impl Into<Vec<u8>>) -> SocketAddr {
    let answer = answer.into();
    tcp(move |mut stream| {
        let answer = answer.clone();
        async move {
            let mut request = [0; 4096];
            let _ = stream.read(&mut request).await;
            let _ = stream.write_all(&answer).await;
        }
    })
    .await
}

/// A server that takes connections and never says a word.
pub(crate) async fn silent() -> SocketAddr {
    tcp(|stream| async move {
        let _open = stream;
        std::future::pending().await
    })
    .await
}

/// A server that sends a greeting, and then for each line that begins so its answer.
pub(crate) async fn talks(
    greeting: &'static str,
    answers: &'static [(&'static str, &'static str)],
) -> SocketAddr {
    tcp(move |stream| async move {
        let mut stream = BufReader::new(stream);
        stream
            .get_mut()
            .write_all(greeting.as_bytes())
            .await
            .unwrap();
        let mut line = String::new();
        while stream
            .read_line(&mut line)
            .await
            .is_ok_and(|length| length > 0)
        {
            let answer = answers.iter().find(|(start, _)| line.starts_with(start));
            let Some((_, answer)) = answer else {
                return;
            };
            let _ = stream.get_mut().write_all(answer.as_bytes()).await;
            line.clear();
        }
    })
    .await
}

/// An address at which nobody listens.
pub(crate) async fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap()
}
