//! Who is told what checks have found: scripts of the configuration, and its FIFOs.
//!
//! As keepalived: a script gets the arguments that the configuration gives it, and runs beside all
//! else; a FIFO gets a line, if somebody reads it.

use std::fs::OpenOptions;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rlvs_check::machine::{Event, name};
use rlvs_check::spec::Script;
use rlvs_config::Site;
use rlvs_config::model::{Command, Fifo, VirtualServer};
use rlvs_control::ServiceKey;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use tokio::task::JoinSet;

/// A script that is still there then is ended.
const LONGEST: Duration = Duration::from_secs(300);

/// Tells of an event of a virtual server, whose real servers are named by their place. Scripts run
/// among others.
pub(super) fn tell(site: &Site, server: &VirtualServer, event: &Event, running: &mut JoinSet<()>) {
    while running.try_join_next().is_some() {}
    for command in commands(server, event) {
        running.spawn(run(command));
    }
    let lines: String = lines(server, event).collect();
    for fifo in fifos(site).filter(|_| !lines.is_empty()) {
        if let Err(error) = write(&fifo.path, lines.as_bytes()) {
            tracing::debug!(fifo = %fifo.path.display(), %error, "nobody reads");
        }
    }
}

/// Makes FIFOs that are not there.
pub(super) fn prepare(site: &Site) {
    for fifo in fifos(site) {
        match rustix::fs::mknodat(
            rustix::fs::CWD,
            &fifo.path,
            FileType::Fifo,
            Mode::RUSR | Mode::WUSR,
            0,
        ) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => tracing::warn!(fifo = %fifo.path.display(), %error, "cannot be made"),
        }
    }
}

fn fifos(site: &Site) -> impl Iterator<Item = &Fifo> {
    site.alerts.fifo.iter().chain(&site.alerts.lvs_fifo)
}

fn commands<'s>(server: &'s VirtualServer, event: &Event) -> Vec<&'s Command> {
    let of = |place: &usize| server.real.get(*place);
    match event {
        Event::ServerUp { server } => of(server).and_then(|it| it.notify_up.as_ref()),
        Event::ServerDown { server } => of(server).and_then(|it| it.notify_down.as_ref()),
        Event::QuorumGained { .. } => server.quorum_up.as_ref(),
        Event::QuorumLost { .. } => server.quorum_down.as_ref(),
        Event::Stopped { servers } => {
            let real = servers.iter().filter_map(of);
            let down = real.filter_map(|it| it.notify_down.as_ref());
            return down.chain(&server.quorum_down).collect();
        }
        Event::ServerKept { .. }
        | Event::ServerWeight { .. }
        | Event::SorryServerIn
        | Event::SorryServerOut => None,
    }
    .into_iter()
    .collect()
}

fn lines<'s>(server: &'s VirtualServer, event: &'s Event) -> impl Iterator<Item = String> + 's {
    let key = server.keys().next();
    let service = key.map(|key| service_name(server, key));
    let protocol = key.map_or("tcp", protocol);
    let (place, up) = match event {
        Event::ServerUp { server } => (Some(*server), true),
        Event::ServerDown { server } => (Some(*server), false),
        Event::QuorumGained { .. } => (None, true),
        Event::QuorumLost { .. } => (None, false),
        _ => return None.into_iter(),
    };
    let line = service.and_then(|service| match place {
        None => Some(name::service_line(&service, up)),
        Some(place) => {
            let key = server.real.get(place)?.destination.key;
            let address = SocketAddr::new(key.address, key.port);
            let real = name::by_address(address, protocol);
            Some(name::server_line(&real, &service, up))
        }
    });
    line.into_iter()
}

fn service_name(server: &VirtualServer, key: &ServiceKey) -> String {
    match (key, &server.group) {
        (ServiceKey::Address { port, .. }, Some(group)) => name::by_group(group, *port),
        (ServiceKey::Address { address, port, .. }, None) => {
            name::by_address(SocketAddr::new(*address, *port), protocol(key))
        }
        (ServiceKey::Mark { .. }, Some(group)) => name::by_group(group, 0),
        (ServiceKey::Mark { mark, .. }, None) => name::by_mark(*mark),
    }
}

fn protocol(key: &ServiceKey) -> &'static str {
    match key {
        ServiceKey::Address { protocol, .. } => match protocol {
            rlvs_control::Protocol::Tcp => "tcp",
            rlvs_control::Protocol::Udp => "udp",
            rlvs_control::Protocol::Sctp => "sctp",
        },
        ServiceKey::Mark { .. } => "fwm",
    }
}

fn run(command: &Command) -> impl Future<Output = ()> + Send + use<> {
    let script = Script {
        user: command.user.clone(),
        group: command.group.clone(),
        timeout: Some(LONGEST),
        ..Script::new(command.words.iter().cloned())
    };
    async move {
        let said = script.command.join(" ");
        match rlvs_probe::run_script(&script, LONGEST).await {
            Ok(()) => tracing::debug!(script = said, "done"),
            Err(problem) => tracing::warn!(script = said, problem, "notifier"),
        }
    }
}

/// Not waiting for a reader.
fn write(path: &Path, lines: &[u8]) -> std::io::Result<()> {
    let nonblocking = OFlags::NONBLOCK.bits() as i32;
    let mut options = OpenOptions::new();
    let mut fifo = options.write(true).custom_flags(nonblocking).open(path)?;
    fifo.write_all(lines)
}
