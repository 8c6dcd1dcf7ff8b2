//! Connections as a stream of lines: a million of them in flat memory.
//!
//! A blocking thread walks the table and fills batches, a short queue holds it back while the
//! reader is slow. A walk that fails ends the stream with an error, so that the client does not
//! take half a listing for all of it.

use std::io;
use std::mem;
use std::sync::Arc;

use axum::body::Bytes;
use futures::Stream;
use futures::stream::unfold;
use rlvs_control::ConnectionEntry;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_blocking};

use super::handle::ConnectionSource;

/// Bytes after which a batch goes out.
const BATCH: usize = 64 << 10;
/// Batches that may wait for the reader.
const QUEUE: usize = 2;

/// All connections of `source`, a JSON object a line.
pub(super) fn lines(
    source: Arc<dyn ConnectionSource + Send + Sync>,
) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
    let (sender, batches) = mpsc::channel(QUEUE);
    let walk = spawn_blocking(move || walk(&*source, sender));
    unfold(Some((batches, walk)), next)
}

/// The receiving end and the thread that feeds it.
type Walk = (mpsc::Receiver<Bytes>, JoinHandle<io::Result<()>>);

async fn next(walk: Option<Walk>) -> Option<(io::Result<Bytes>, Option<Walk>)> {
    let (mut batches, thread) = walk?;
    if let Some(batch) = batches.recv().await {
        return Some((Ok(batch), Some((batches, thread))));
    }
    let end = thread.await.map_err(io::Error::other).flatten();
    end.err().map(|error| (Err(error), None))
}

fn walk(source: &dyn ConnectionSource, sender: mpsc::Sender<Bytes>) -> io::Result<()> {
    let mut batch = Batch {
        sender,
        lines: Vec::with_capacity(BATCH),
        end: Ok(true),
    };
    source.visit(&mut |entry| {
        batch.end = batch.push(&entry);
        matches!(batch.end, Ok(true))
    });
    if batch.end? {
        let _ = batch.sender.blocking_send(batch.lines.into());
    }
    Ok(())
}

/// Lines on their way.
struct Batch {
    sender: mpsc::Sender<Bytes>,
    lines: Vec<u8>,
    /// Whether to go on: false when the reader is gone.
    end: io::Result<bool>,
}

impl Batch {
    fn push(&mut self, entry: &ConnectionEntry) -> io::Result<bool> {
        serde_json::to_writer(&mut self.lines, entry)?;
        self.lines.push(b'\n');
        if self.lines.len() < BATCH {
            return Ok(true);
        }
        let full = mem::replace(&mut self.lines, Vec::with_capacity(BATCH + BATCH / 8));
        Ok(self.sender.blocking_send(full.into()).is_ok())
    }
}
