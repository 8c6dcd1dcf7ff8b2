//! Conversations in lines of text: SMTP, FTP, IMAP, POP, Redis.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::fault::{Fault, Result};
use crate::stream::Stream;
use crate::target::Target;

/// A line has at most this many bytes.
const LINE: u64 = 8192;
/// An answer has at most this many lines.
const LINES: usize = 200;

/// A conversation with a target.
pub(crate) struct Talk<'a> {
    target: &'a Target,
    stream: BufReader<Box<dyn Stream>>,
}

impl<'a> Talk<'a> {
    pub(crate) fn new(target: &'a Target, stream: Box<dyn Stream>) -> Self {
        Self {
            target,
            stream: BufReader::with_capacity(1024, stream),
        }
    }

    /// Says a line.
    pub(crate) async fn say(&mut self, line: &str) -> Result<()> {
        if line.contains(['\r', '\n']) {
            return Err(Fault::here(
                "a name or password of the check has a line break",
            ));
        }
        self.send(format!("{line}\r\n").as_bytes()).await
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.target
            .wait("sending", self.stream.get_mut().write_all(bytes))
            .await
    }

    /// The next line, without its end.
    pub(crate) async fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let read = async {
            (&mut self.stream)
                .take(LINE)
                .read_until(b'\n', &mut line)
                .await
        };
        let length = self.target.wait("the answer", read).await?;
        if line.pop() != Some(b'\n') {
            let reason = match length {
                0 => "the connection was closed",
                _ => "the answer is not in lines",
            };
            return Err(Fault::target(reason));
        }
        Ok(String::from_utf8_lossy(&line)
            .trim_end_matches('\r')
            .to_owned())
    }

    /// A reply with a number, of one line or more (RFC 5321, 4.2; RFC 959, 4.2).
    pub(crate) async fn reply(&mut self) -> Result<(u16, String)> {
        let first = self.line().await?;
        let code = first.get(..3).and_then(|digits| digits.parse().ok());
        let code = code.ok_or_else(|| unexpected(&first))?;
        let mut line = first.clone();
        for _ in 0..LINES {
            // SMTP has the number in each line; in FTP only the last begins with it and a space.
            if line.get(..3) == first.get(..3) && line.as_bytes().get(3) != Some(&b'-') {
                return Ok((code, line));
            }
            line = self.line().await?;
        }
        Err(Fault::target("the answer does not end"))
    }

    /// A reply with one of these numbers.
    pub(crate) async fn expect(&mut self, codes: &[u16]) -> Result<(u16, String)> {
        let (code, line) = self.reply().await?;
        match codes.contains(&code) {
            true => Ok((code, line)),
            false => Err(unexpected(&line)),
        }
    }
}

/// A line that shows that the target is not as it shall be.
pub(crate) fn unexpected(line: &str) -> Fault {
    let mut shown: String = line.chars().filter(|letter| !letter.is_control()).collect();
    if let Some((end, _)) = shown.char_indices().nth(80) {
        shown.truncate(end);
    }
    Fault::target(format!("answered \"{shown}\""))
}
