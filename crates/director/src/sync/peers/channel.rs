//! The encrypted way between two directors: Noise ([`rlvs_sync::peer::noise`]) over TCP.
//!
//! Not TLS: both ends are alike, and have nothing but each other. A secret in one file is less to make,
//! distribute and renew than an authority, certificates and keys.

use std::fs;
use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rlvs_sync::peer::noise::{LONGEST, LONGEST_HELLO};
use rlvs_sync::peer::{Handshake, Refused, Session};
use sha2::{Digest, Sha256};

/// Characters that a secret has at least.
const LEAST: usize = 32;
/// So long a peer may say nothing: it says something each second.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// How often who waits looks whether it is to end.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// What both ends know.
#[derive(Clone, Eq, PartialEq)]
pub(in crate::sync) struct Secret([u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

impl Secret {
    /// That of a file, which nobody else may read.
    pub(in crate::sync) fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let error = |error: io::Error| format!("{shown}: {error}");
        let mode = fs::metadata(path).map_err(error)?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(format!("{shown}: others can read it; `chmod 600 {shown}`"));
        }
        let bytes = fs::read(path).map_err(error)?;
        let secret = bytes.trim_ascii();
        if secret.len() < LEAST {
            return Err(format!(
                "{shown}: a secret has {LEAST} characters or more; `openssl rand -hex 32 > {shown}`"
            ));
        }
        Ok(Self(Sha256::digest(secret).into()))
    }

    #[cfg(test)]
    pub(in crate::sync) fn of(byte: u8) -> Self {
        Self([byte; 32])
    }
}

/// One end of it.
pub(super) struct Channel<'s> {
    stream: TcpStream,
    stop: &'s AtomicBool,
    session: Session,
    bytes: Vec<u8>,
}

impl<'s> Channel<'s> {
    /// To who answers.
    pub(super) fn begin(
        stream: TcpStream,
        secret: &Secret,
        stop: &'s AtomicBool,
    ) -> io::Result<Self> {
        let mut noise = Handshake::begin(&secret.0).map_err(wrong)?;
        prepare(&stream)?;
        write(&stream, &noise.say().map_err(wrong)?)?;
        hear(&stream, &mut noise, stop)?;
        Self::of(stream, noise, stop)
    }

    /// From who begins.
    pub(super) fn answer(
        stream: TcpStream,
        secret: &Secret,
        stop: &'s AtomicBool,
    ) -> io::Result<Self> {
        let mut noise = Handshake::answer(&secret.0).map_err(wrong)?;
        prepare(&stream)?;
        hear(&stream, &mut noise, stop)?;
        write(&stream, &noise.say().map_err(wrong)?)?;
        Self::of(stream, noise, stop)
    }

    fn of(stream: TcpStream, noise: Handshake, stop: &'s AtomicBool) -> io::Result<Self> {
        Ok(Self {
            stream,
            stop,
            session: noise.finish().map_err(wrong)?,
            bytes: vec![0; LONGEST],
        })
    }

    /// Blocks while the peer is slow; an error if it takes nothing at all.
    pub(super) fn send(&mut self, frame: &[u8]) -> io::Result<()> {
        let message = self.session.seal(frame).map_err(wrong)?;
        write(&self.stream, &message)
    }

    /// The next frame.
    pub(super) fn receive(&mut self) -> io::Result<Vec<u8>> {
        let length = read(&self.stream, &mut self.bytes, self.stop)?;
        self.session.open(&self.bytes[..length]).map_err(wrong)
    }
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(LOOK))?;
    stream.set_write_timeout(Some(PATIENCE))
}

fn hear(stream: &TcpStream, noise: &mut Handshake, stop: &AtomicBool) -> io::Result<()> {
    let mut bytes = vec![0; LONGEST_HELLO];
    let length = read(stream, &mut bytes, stop)?;
    noise.hear(&bytes[..length]).map_err(wrong)
}

/// Its length, then itself.
fn write(mut stream: &TcpStream, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).map_err(io::Error::other)?;
    let mut all = length.to_be_bytes().to_vec();
    all.extend(message);
    stream.write_all(&all)
}

/// The next message's length; `bytes` has room for the longest.
fn read(stream: &TcpStream, bytes: &mut [u8], stop: &AtomicBool) -> io::Result<usize> {
    let mut length = [0; 2];
    fill(stream, &mut length, stop)?;
    let length = usize::from(u16::from_be_bytes(length));
    let message = bytes.get_mut(..length);
    let message = message.ok_or_else(|| wrong(Refused::TooLong(length)))?;
    fill(stream, message, stop)?;
    Ok(length)
}

/// All of it, unless the other says nothing for too long, or this one is to stop.
fn fill(mut stream: &TcpStream, mut bytes: &mut [u8], stop: &AtomicBool) -> io::Result<()> {
    let mut since = Instant::now();
    while !bytes.is_empty() {
        match stream.read(bytes) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                bytes = &mut bytes[count..];
                since = Instant::now();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if stop.load(Ordering::Relaxed) || since.elapsed() > PATIENCE {
                    return Err(ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wrong(refused: Refused) -> io::Error {
    let kind = match refused {
        Refused::Stranger => ErrorKind::PermissionDenied,
        _ => ErrorKind::Other,
    };
    io::Error::new(kind, refused)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, TcpListener};
    use std::thread;

    use rlvs_sync::peer::noise::AROUND;

    use super::*;

    static GO_ON: AtomicBool = AtomicBool::new(false);

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let one = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (one, listener.accept().unwrap().0)
    }

    #[test]
    fn who_knows_the_secret_is_understood() {
        let (one, other) = pair();
        let answering = thread::spawn(move || {
            let mut channel = Channel::answer(other, &Secret::of(1), &GO_ON).unwrap();
            [(); 3].map(|()| channel.receive().unwrap())
        });
        let mut channel = Channel::begin(one, &Secret::of(1), &GO_ON).unwrap();
        let frames = [vec![], vec![7; 10], vec![1; LONGEST - AROUND]];
        frames.iter().for_each(|frame| channel.send(frame).unwrap());
        assert_eq!(answering.join().unwrap(), frames);
    }

    #[test]
    fn who_does_not_is_refused() {
        let (one, other) = pair();
        let answering =
            thread::spawn(move || Channel::answer(other, &Secret::of(1), &GO_ON).map(drop));
        assert!(Channel::begin(one, &Secret::of(2), &GO_ON).is_err());
        let refused = answering.join().unwrap().unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::PermissionDenied);
    }

    #[test]
    fn what_was_changed_on_the_way_is_not_believed() {
        let (one, middle) = pair();
        let (relay, other) = pair();
        let answering = thread::spawn(move || {
            let mut channel = Channel::answer(other, &Secret::of(1), &GO_ON).unwrap();
            (channel.receive().unwrap(), channel.receive().is_err())
        });
        let relaying = thread::spawn(move || {
            let pass = |from: &TcpStream, to: &TcpStream, change: u8| {
                let mut bytes = vec![0; LONGEST];
                let length = read(from, &mut bytes, &GO_ON).unwrap();
                bytes[length - 1] ^= change;
                write(to, &bytes[..length]).unwrap();
            };
            pass(&middle, &relay, 0);
            pass(&relay, &middle, 0);
            pass(&middle, &relay, 0);
            pass(&middle, &relay, 1);
        });
        let mut channel = Channel::begin(one, &Secret::of(1), &GO_ON).unwrap();
        channel.send(b"true").unwrap();
        channel.send(b"false").unwrap();
        relaying.join().unwrap();
        assert_eq!(answering.join().unwrap(), (b"true".to_vec(), true));
    }

    #[test]
    fn a_secret_is_secret_and_long() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        let write = |text: &str, mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Secret::read(&path)
        };
        let long = "0123456789abcdef0123456789abcdef";
        assert!(Secret::read(&folder.path().join("none")).is_err());
        assert!(write(long, 0o640).unwrap_err().contains("chmod 600"));
        assert!(write("short", 0o600).unwrap_err().contains("openssl"));
        let secret = write(long, 0o600).unwrap();
        assert_eq!(write(&format!("{long}\n"), 0o600), Ok(secret.clone()));
        assert!(!format!("{secret:?}").contains("48"));
    }
}
