//! The command's output: handed on as it comes, up to the token that ends it.

use std::io::{self, Read, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::qemu::Qemu;
use crate::interrupt;

const TICK: Duration = Duration::from_millis(100);

/// Copies both streams of the guest to their end; the command's exit status.
pub(super) fn relay(
    qemu: &mut Qemu,
    token: &str,
    deadline: Instant,
    stdout: &mut (impl Write + Send),
    stderr: &mut (impl Write + Send),
) -> Result<i32> {
    let (from_stdout, from_stderr) = connect(qemu, deadline)?;
    thread::scope(|scope| {
        let (ended, ends) = mpsc::channel();
        let also_ended = ended.clone();
        scope.spawn(move || copy(from_stdout, stdout, token, &ended));
        scope.spawn(move || copy(from_stderr, stderr, token, &also_ended));
        let status = wait(&ends, deadline);
        qemu.kill(); // closes both streams: the threads end
        status
    })
}

fn connect(qemu: &mut Qemu, deadline: Instant) -> Result<(impl Read + use<>, impl Read + use<>)> {
    loop {
        if let Some(streams) = qemu.streams()? {
            return Ok(streams);
        }
        if let Some(status) = qemu.exited()? {
            bail!("did not start: {status}");
        }
        if Instant::now() > deadline {
            bail!("did not start in time");
        }
        interrupt::check()?;
        thread::sleep(TICK);
    }
}

type End = io::Result<Option<i32>>;

fn wait(ends: &mpsc::Receiver<End>, deadline: Instant) -> Result<i32> {
    let mut status = None;
    let mut open = 2;
    while open > 0 {
        match ends.recv_timeout(TICK) {
            Ok(end) => {
                status = Some(end?.context("died")?);
                open -= 1;
            }
            Err(RecvTimeoutError::Disconnected) => bail!("died"),
            Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                bail!("timed out")
            }
            Err(RecvTimeoutError::Timeout) => interrupt::check()?,
        }
    }
    status.context("died")
}

fn copy(mut from: impl Read, to: &mut impl Write, token: &str, ended: &Sender<End>) {
    // A closed channel means that nobody waits for this end any more.
    let _ = ended.send(copy_to_token(&mut from, to, token.as_bytes()));
}

/// Copies up to the token; the status behind it, or none where the stream ends before.
fn copy_to_token(from: &mut impl Read, to: &mut impl Write, token: &[u8]) -> End {
    let mut held = Vec::new();
    let mut buffer = [0; 1 << 16];
    loop {
        let length = read(from, &mut buffer)?;
        held.extend_from_slice(&buffer[..length]);
        match find(&held, token) {
            Some(at) => {
                to.write_all(&held[..at])?;
                held.drain(..at);
                if let Some(status) = status(&held[token.len()..]) {
                    to.flush()?;
                    return Ok(Some(status));
                }
            }
            None => {
                let sure = held.len()
                    - if length == 0 {
                        0
                    } else {
                        overlap(&held, token)
                    };
                to.write_all(&held[..sure])?;
                to.flush()?;
                held.drain(..sure);
            }
        }
        if length == 0 {
            return Ok(None);
        }
    }
}

/// An emulator that is gone ends the stream, be it with an error.
fn read(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    match from.read(buffer) {
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(0),
        result => result,
    }
}

fn find(text: &[u8], token: &[u8]) -> Option<usize> {
    text.windows(token.len()).position(|window| window == token)
}

/// How many bytes at the end of `text` may be the beginning of the token.
fn overlap(text: &[u8], token: &[u8]) -> usize {
    (1..token.len())
        .rev()
        .find(|&length| text.ends_with(&token[..length]))
        .unwrap_or(0)
}

/// ` 17\n` as 17; none while the line is not complete.
fn status(text: &[u8]) -> Option<i32> {
    let line = std::str::from_utf8(text).ok()?;
    line.strip_suffix('\n')?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives its text in pieces of a few bytes.
    struct Pieces<'a>(&'a [u8], usize);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = self.1.min(self.0.len()).min(buffer.len());
            buffer[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }

    #[test]
    fn output_ends_at_the_token_however_it_is_cut() {
        let text = b"one\ntok tokentoke\0\xffn\ntokenend 3\n";
        for size in 1..text.len() {
            let mut out = Vec::new();
            let status = copy_to_token(&mut Pieces(text, size), &mut out, b"tokenend").unwrap();
            assert_eq!(
                (status, &out[..]),
                (Some(3), &b"one\ntok tokentoke\0\xffn\n"[..])
            );
        }
    }

    #[test]
    fn a_stream_that_breaks_off_has_no_status_but_all_its_bytes() {
        let mut out = Vec::new();
        let status = copy_to_token(&mut Pieces(b"half a tok", 3), &mut out, b"tokenend").unwrap();
        assert_eq!((status, &out[..]), (None, &b"half a tok"[..]));
    }
}
