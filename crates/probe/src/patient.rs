//! A connection that is asked again a little later before the runtime watches it.
//!
//! Nearly all answers to checks come within a few milliseconds. To wait that long and ask then takes a
//! timer; to be told by the runtime takes system calls to begin it, to be told, and to end it.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use core::time::Duration;
use std::io::{self, ErrorKind, Read, Write};
use std::mem::replace;
use std::net::TcpStream as Plain;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep};

/// When most answers have come.
pub(crate) const SOON: Duration = Duration::from_millis(5);

/// A connection without TLS.
#[derive(Debug)]
pub(crate) struct Patient {
    socket: Socket,
    /// Meanwhile it is not asked for an answer.
    pause: Pin<Box<Sleep>>,
    pausing: bool,
}

#[derive(Debug)]
enum Socket {
    Asked(Plain),
    Watched(TcpStream),
    /// The runtime could not take it.
    Lost,
}

impl Patient {
    /// Of a connection that does not block.
    pub(crate) fn new(socket: Plain) -> Self {
        Self {
            socket: Socket::Asked(socket),
            pause: Box::pin(sleep(SOON)),
            pausing: false,
        }
    }

    /// The connection, watched by the runtime from now on.
    fn watched(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if matches!(self.socket, Socket::Asked(_))
            && let Socket::Asked(plain) = replace(&mut self.socket, Socket::Lost)
        {
            self.socket = Socket::Watched(TcpStream::from_std(plain)?);
        }
        match &mut self.socket {
            Socket::Watched(stream) => Ok(Pin::new(stream)),
            _ => Err(ErrorKind::NotConnected.into()),
        }
    }

    /// Reads at once, or once more after a pause; `None`: there is nothing yet.
    fn poll_asked(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<Option<io::Result<usize>>> {
        let Socket::Asked(plain) = &mut self.socket else {
            return Poll::Ready(None);
        };
        let mut read = || match plain.read(buffer) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            result => Some(result),
        };
        if !self.pausing {
            if let Some(result) = read() {
                return Poll::Ready(Some(result));
            }
            self.pause.as_mut().reset(Instant::now() + SOON);
            self.pausing = true;
        }
        ready!(self.pause.as_mut().poll(context));
        self.pausing = false;
        Poll::Ready(read())
    }
}

impl AsyncRead for Patient {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let room = buffer.initialize_unfilled();
        match ready!(self.poll_asked(context, room)) {
            Some(result) => {
                buffer.advance(result?);
                Poll::Ready(Ok(()))
            }
            None => self.watched()?.poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Patient {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let Socket::Asked(plain) = &mut self.socket {
            match plain.write(bytes) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                result => return Poll::Ready(result),
            }
        }
        self.watched()?.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A socket has nothing to flush.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // It is closed as soon as the answer is there.
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn pair() -> (Patient, Plain) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = Plain::connect(listener.local_addr().unwrap()).unwrap();
        client.set_nonblocking(true).unwrap();
        (Patient::new(client), listener.accept().unwrap().0)
    }

    async fn read(patient: &mut Patient) -> Vec<u8> {
        let mut buffer = [0; 64];
        let length = patient.read(&mut buffer).await.unwrap();
        buffer[..length].to_vec()
    }

    #[tokio::test]
    async fn what_is_there_is_read_without_the_runtime() {
        let (mut patient, mut server) = pair();
        patient.write_all(b"question").await.unwrap();
        server.write_all(b"answer").unwrap();
        assert_eq!(read(&mut patient).await, b"answer");
        assert!(matches!(patient.socket, Socket::Asked(_)));
    }

    #[tokio::test]
    async fn what_comes_late_is_read_too() {
        let (mut patient, mut server) = pair();
        let (early, _) = tokio::join!(read(&mut patient), async {
            sleep(SOON * 10).await;
            server.write_all(b"late").unwrap();
        });
        assert_eq!(early, b"late");
        assert!(matches!(patient.socket, Socket::Watched(_)));
        drop(server);
        assert_eq!(read(&mut patient).await, b"");
    }

    #[tokio::test]
    async fn what_is_written_does_not_wait_for_an_answer() {
        let (mut patient, mut server) = pair();
        let mut said = [0; 8];
        let (mut reading, mut writing) = tokio::io::split(&mut patient);
        let mut buffer = [0; 64];
        let asked = async { reading.read(&mut buffer).await.unwrap() };
        let answered = async {
            writing.write_all(b"question").await.unwrap();
            server.read_exact(&mut said).unwrap();
            server.write_all(b"answer").unwrap();
        };
        assert_eq!(tokio::join!(asked, answered).0, 6);
        assert_eq!(&said, b"question");
    }
}
