//! MISC_CHECK: a program of the operator.

use core::time::Duration;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use nix::unistd::{Group, User, geteuid};
use rlvs_check::machine::Adjust;
use rlvs_check::spec::Script;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::fault::{Fault, Result};
use crate::security;

/// keepalived's user of scripts, if there is one.
const USER: &str = "keepalived_script";
/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// What it takes at most to make a script end.
pub(crate) const ENDING: Duration = Duration::from_secs(5);

/// Runs it, at most for `limit`.
pub(crate) async fn run(script: &Script, limit: Duration) -> Result<Adjust> {
    let mut group = start(script).await?;
    let status = match timeout(script.timeout.unwrap_or(limit), group.child.wait()).await {
        Ok(status) => status?,
        Err(_) => {
            group.end().await;
            return Err(Fault::target("timed out"));
        }
    };
    group.leader = None;
    judge(script, status)
}

/// Runs it until it ends by itself, or until `ended` is there: then it is made to end, and there is
/// nothing to say of it.
pub(crate) async fn run_until(
    script: &Script,
    ended: impl Future<Output = ()>,
) -> Option<Result<Adjust>> {
    let mut group = match start(script).await {
        Ok(group) => group,
        Err(fault) => return Some(Err(fault)),
    };
    tokio::select! {
        status = group.child.wait() => {
            group.leader = None;
            Some(status.map_err(Fault::from).and_then(|status| judge(script, status)))
        }
        () = ended => {
            group.end().await;
            None
        }
    }
}

async fn start(script: &Script) -> Result<Family> {
    let prepared = script.clone();
    // Looking up users and files may take its time.
    let mut command = tokio::task::spawn_blocking(move || prepare(&prepared))
        .await
        .map_err(|_| Fault::here("preparing the script failed"))??;
    let child = command
        .spawn()
        .map_err(|error| Fault::here(format!("{}: {error}", script.command[0])))?;
    Family::new(child)
}

fn judge(script: &Script, status: ExitStatus) -> Result<Adjust> {
    match status.code() {
        Some(0) => Ok(Adjust::Keep),
        Some(code @ 2..=255) if script.dynamic => Ok(Adjust::Set(code as u32 - 2)),
        Some(code) => Err(Fault::target(format!("exited with status {code}"))),
        None => Err(Fault::target(format!("ended by {status}"))),
    }
}

fn prepare(script: &Script) -> Result<Command> {
    let [program, arguments @ ..] = script.command.as_slice() else {
        return Err(Fault::here("no script is given"));
    };
    let program = Path::new(program);
    if !program.is_absolute() {
        return Err(Fault::here(format!(
            "{}: not an absolute path",
            program.display()
        )));
    }
    let user = user(script)?;
    let root = user
        .as_ref()
        .map_or(geteuid().is_root(), |user| user.uid.is_root());
    if script.secure && root {
        security::check(program).map_err(Fault::Here)?;
    }
    let mut command = Command::new(PathBuf::from(program));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    if let Some(user) = user {
        command.uid(user.uid.as_raw()).gid(group(script, &user)?);
    }
    Ok(command)
}

/// Who it runs as, if that is another than who runs this.
fn user(script: &Script) -> Result<Option<User>> {
    let name = script.user.as_deref();
    let found = User::from_name(name.unwrap_or(USER)).map_err(io::Error::from)?;
    match (found, name) {
        (None, Some(name)) => Err(Fault::here(format!("there is no user {name}"))),
        (Some(_), None) if !geteuid().is_root() => Ok(None),
        (user, _) => Ok(user.filter(|user| user.uid != geteuid() || script.group.is_some())),
    }
}

fn group(script: &Script, user: &User) -> Result<u32> {
    let Some(name) = &script.group else {
        return Ok(user.gid.as_raw());
    };
    let found = Group::from_name(name).map_err(io::Error::from)?;
    let group = found.ok_or_else(|| Fault::here(format!("there is no group {name}")))?;
    Ok(group.gid.as_raw())
}

/// A script and all that it has started; they end with this.
struct Family {
    child: Child,
    leader: Option<Pid>,
}

impl Family {
    fn new(child: Child) -> Result<Self> {
        let leader = child.id().and_then(|id| Pid::from_raw(id as i32));
        Ok(Self { child, leader })
    }

    /// Asks all of it to end, and then makes it.
    async fn end(&mut self) {
        self.signal(Signal::TERM);
        if timeout(GRACE, self.child.wait()).await.is_err() {
            self.signal(Signal::KILL);
            // Killed, it cannot but end; who is not waited for stays as a zombie.
            let _ = self.child.wait().await;
        }
        // What ignores SIGTERM may have outlived the script.
        self.signal(Signal::KILL);
        self.leader = None;
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.leader {
            // There may be nobody left.
            let _ = kill_process_group(leader, signal);
        }
    }
}

impl Drop for Family {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
