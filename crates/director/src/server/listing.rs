//! Long answers as a stream: a million connections in flat memory.
//!
//! A blocking thread writes, a short queue holds it back while the reader is slow. A writer that fails
//! ends the stream with an error, so that the client does not take half an answer for all of it.

use std::io;
use std::mem;
use std::sync::Arc;

use axum::body::Bytes;
use futures::Stream;
use futures::stream::unfold;
use rlvs_control::ConnectionEntry;
use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::handle::ConnectionSource;

/// Bytes after which a piece goes out.
const PIECE: usize = 64 << 10;
/// Pieces that may wait for the reader.
const QUEUE: usize = 2;

/// All connections of `source`, a JSON object a line.
pub(super) fn lines(
    source: Arc<dyn ConnectionSource + Send + Sync>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    pieces(move |out| {
        let mut end = Ok(());
        source.visit(&mut |entry: ConnectionEntry| {
            end = line(out, &entry);
            end.is_ok()
        });
        end
    })
}

fn line(out: &mut Pieces, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    io::Write::write_all(out, b"\n")
}

/// What `write` writes, as it comes.
pub(super) fn pieces(
    write: impl FnOnce(&mut Pieces) -> io::Result<()> + Send + 'static,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let thread = spawn_blocking(move || {
        let mut out = Pieces {
            sender,
            begun: Vec::with_capacity(PIECE),
        };
        write(&mut out)?;
        io::Write::flush(&mut out)
    });
    unfold(Some((receiver, thread)), next)
}

/// The receiving end and the thread that feeds it.
type Writer = (mpsc::Receiver<Bytes>, JoinHandle<io::Result<()>>);

async fn next(writer: Option<Writer>) -> Option<(io::Result<Bytes>, Option<Writer>)> {
    let (mut receiver, thread) = writer?;
    if let Some(piece) = receiver.recv().await {
        return Some((Ok(piece), Some((receiver, thread))));
    }
    let end = thread.await.map_err(io::Error::other).flatten();
    end.err().map(|error| (Err(error), None))
}

/// Takes what is written, and fails when the reader is gone.
pub(super) struct Pieces {
    sender: mpsc::Sender<Bytes>,
    begun: Vec<u8>,
}

impl io::Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.extend_from_slice(bytes);
        if self.begun.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let piece = mem::replace(&mut self.begun, Vec::with_capacity(PIECE + PIECE / 8));
        let sent = self.sender.blocking_send(piece.into());
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
