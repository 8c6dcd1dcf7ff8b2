//! FIFOs: a line for each event, if somebody reads it, and the script that does.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::time::Duration;

use nix::unistd::{Gid, Group, Uid, User};
use rlvs_check::machine::{Event, name};
use rlvs_check::spec::Script;
use rlvs_config::model::{Fifo, VirtualServer};
use rustix::fs::{FileType, Mode, OFlags, fchown};
use rustix::io::Errno;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{names, script};

/// From a reader's end to its next start.
const PAUSE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(super) struct Pipe {
    fifo: Fifo,
    /// Open for reading, too, as keepalived has it: a reader need not come before a line, and its
    /// end is not that of the FIFO.
    file: File,
    /// Dropped, it ends the reader.
    _reading: oneshot::Sender<()>,
}

impl Pipe {
    /// Makes the FIFO if it is not there, and starts who reads it, among `running`.
    pub(super) fn open(fifo: &Fifo, running: &mut JoinSet<()>) -> io::Result<Self> {
        let file = open(fifo)?;
        let (reading, ended) = oneshot::channel();
        if let Some(script) = reader(fifo) {
            running.spawn(keep_reading(script, ended));
        }
        Ok(Self {
            fifo: fifo.clone(),
            file,
            _reading: reading,
        })
    }

    pub(super) fn is(&self, fifo: &Fifo) -> bool {
        self.fifo == *fifo
    }

    pub(super) fn write(&mut self, line: &str) {
        // Who does not read for so long that it is full misses some.
        if let Err(error) = self.file.write_all(line.as_bytes()) {
            tracing::debug!(fifo = %self.fifo.path.display(), %error, "a line is lost");
        }
    }
}

/// The line that an event of a virtual server makes.
pub(super) fn line(server: &VirtualServer, event: &Event) -> Option<String> {
    let (place, up) = match event {
        Event::ServerUp { server } => (Some(*server), true),
        Event::ServerDown { server } => (Some(*server), false),
        Event::QuorumGained { .. } => (None, true),
        Event::QuorumLost { .. } => (None, false),
        _ => return None,
    };
    let service = names::service(server)?;
    match place {
        None => Some(name::service_line(&service, up)),
        Some(place) => Some(name::server_line(
            &names::real(server, place)?,
            &service,
            up,
        )),
    }
}

fn open(fifo: &Fifo) -> io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    let is_new = match rustix::fs::mknodat(rustix::fs::CWD, &fifo.path, FileType::Fifo, mode, 0) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(error) => return Err(error.into()),
    };
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = options.custom_flags(flags.bits() as i32).open(&fifo.path)?;
    if !file.metadata()?.file_type().is_fifo() {
        return Err(io::Error::other("it is there, and no FIFO"));
    }
    if is_new {
        own(&file, fifo)?;
    }
    Ok(file)
}

/// Gives it to who is to have it.
fn own(file: &File, fifo: &Fifo) -> io::Result<()> {
    let user = fifo.user.as_deref().map(user).transpose()?;
    let group = fifo.group.as_deref().map(group).transpose()?;
    let gid = group.or(user.as_ref().map(|user| user.gid));
    let uid = user.map(|user| user.uid);
    if uid.is_none() && gid.is_none() {
        return Ok(());
    }
    let (uid, gid) = (
        uid.map(|it: Uid| rustix::fs::Uid::from_raw(it.as_raw())),
        gid.map(|it: Gid| rustix::fs::Gid::from_raw(it.as_raw())),
    );
    Ok(fchown(file, uid, gid)?)
}

fn user(name: &str) -> io::Result<User> {
    User::from_name(name)?.ok_or_else(|| io::Error::other(format!("there is no user {name}")))
}

fn group(name: &str) -> io::Result<Gid> {
    let found = Group::from_name(name)?;
    let found = found.ok_or_else(|| io::Error::other(format!("there is no group {name}")))?;
    Ok(found.gid)
}

/// Who reads it, with the path as the last argument.
fn reader(fifo: &Fifo) -> Option<Script> {
    let mut reader = script(fifo.script.as_ref()?, None);
    let path = fifo.path.to_string_lossy().into_owned();
    reader.command.push(path);
    Some(reader)
}

/// Starts a reader again that ends, until it is to end.
async fn keep_reading(script: Script, mut ended: oneshot::Receiver<()>) {
    let said = script.command.join(" ");
    while let Some(outcome) = rlvs_probe::run_until(&script, &mut ended).await {
        match outcome {
            Ok(()) => tracing::warn!(script = said, "the FIFO's reader has ended"),
            Err(problem) => tracing::warn!(script = said, problem, "the FIFO's reader"),
        }
        if timeout(PAUSE, &mut ended).await.is_ok() {
            return;
        }
    }
}
