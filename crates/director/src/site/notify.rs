//! Who is told what checks have found: scripts of the configuration, and its FIFOs.
//!
//! As keepalived: a script gets the arguments that the configuration gives it, and runs beside all
//! else; a FIFO gets a line, if somebody reads it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rlvs_check::machine::{Event, name};
use rlvs_check::spec::Script;
use rlvs_config::Site;
use rlvs_config::model::{Command, Fifo, VirtualServer};
use rlvs_control::ServiceKey;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A script that is still there then is ended.
const LONGEST: Duration = Duration::from_secs(300);

/// Those who are told.
#[derive(Debug, Default)]
pub(super) struct Notifiers {
    /// Scripts that are told just now.
    running: JoinSet<()>,
    /// Open for reading, too, as keepalived has them: a reader need not come before a line, and its
    /// end is not that of the FIFO.
    fifos: Vec<Pipe>,
}

#[derive(Debug)]
struct Pipe {
    path: PathBuf,
    file: File,
}

impl Notifiers {
    /// Makes FIFOs that are not there, and opens those that are not open.
    pub(super) fn follow(&mut self, site: &Site) {
        let wanted: Vec<_> = fifos(site).map(|fifo| &fifo.path).collect();
        self.fifos.retain(|pipe| wanted.contains(&&pipe.path));
        for path in wanted {
            if self.fifos.iter().any(|pipe| pipe.path == *path) {
                continue;
            }
            match open(path) {
                Ok(file) => self.fifos.push(Pipe {
                    path: path.clone(),
                    file,
                }),
                Err(error) => tracing::warn!(fifo = %path.display(), %error, "cannot be used"),
            }
        }
    }

    /// Tells of an event of a virtual server, whose real servers are named by their place. Scripts
    /// run among others.
    pub(super) fn tell(&mut self, server: &VirtualServer, event: &Event) {
        while self.running.try_join_next().is_some() {}
        for command in commands(server, event) {
            self.running.spawn(run(command));
        }
        let lines: String = lines(server, event).collect();
        for pipe in self.fifos.iter_mut().filter(|_| !lines.is_empty()) {
            // Who does not read for so long that it is full misses some.
            if let Err(error) = pipe.file.write_all(lines.as_bytes()) {
                tracing::debug!(fifo = %pipe.path.display(), %error, "a line is lost");
            }
        }
    }

    /// Waits for scripts to end, for a time.
    pub(super) async fn end(&mut self, patience: Duration) {
        let running = core::mem::take(&mut self.running);
        let _ = timeout(patience, running.join_all()).await;
    }
}

fn open(path: &Path) -> std::io::Result<File> {
    let mode = Mode::RUSR | Mode::WUSR;
    match rustix::fs::mknodat(rustix::fs::CWD, path, FileType::Fifo, mode, 0) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    let flags = OFlags::NONBLOCK | OFlags::NOFOLLOW;
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    let file = options.custom_flags(flags.bits() as i32).open(path)?;
    match file.metadata()?.file_type().is_fifo() {
        true => Ok(file),
        false => Err(std::io::Error::other("it is there, and no FIFO")),
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
        ServiceKey::Mark { .. } => "none",
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

#[cfg(test)]
mod tests {
    use rlvs_config::written;

    use super::*;

    const SITE: &str = r#"
[[service]]
tcp = "192.0.2.1:80"
quorum_up = "/bin/quorum up"
quorum_down = "/bin/quorum down"

[[service.real]]
address = "10.0.0.1:8080"
method = "nat"
notify_up = "/bin/notify up 1"
notify_down = "/bin/notify down 1"

[[service.real]]
address = "10.0.0.2:80"
notify_down = "/bin/notify down 2"

[[service]]
mark = 7
real = [{ address = "10.0.0.1" }]

[[service]]
group = "shop"
udp = ["192.0.2.2-3:53"]
real = [{ address = "10.0.0.1" }]
"#;

    fn site() -> Site {
        let reading = written::read(Path::new("site.toml"), SITE.to_owned());
        reading
            .unwrap_or_else(|it| panic!("{}", it.pictures()))
            .site
    }

    fn quorum(is_there: bool) -> Event {
        let (weight, threshold, start) = (1, 1, false);
        match is_there {
            true => Event::QuorumGained {
                weight,
                threshold,
                start,
            },
            false => Event::QuorumLost {
                weight,
                threshold,
                start,
            },
        }
    }

    fn lines_of(server: &VirtualServer, event: &Event) -> String {
        lines(server, event).collect()
    }

    #[test]
    fn a_fifo_gets_keepaliveds_lines() {
        let site = site();
        let [tcp, mark, group] = &site.services[..] else {
            panic!("three virtual servers");
        };
        let down = Event::ServerDown { server: 0 };
        assert_eq!(
            lines_of(tcp, &down),
            "RS [10.0.0.1]:tcp:8080 [192.0.2.1]:tcp:80 DOWN\n"
        );
        assert_eq!(
            lines_of(tcp, &Event::ServerUp { server: 1 }),
            "RS [10.0.0.2]:tcp:80 [192.0.2.1]:tcp:80 UP\n"
        );
        assert_eq!(lines_of(tcp, &quorum(true)), "VS [192.0.2.1]:tcp:80 UP\n");
        assert_eq!(lines_of(mark, &down), "RS [10.0.0.1]:none:0 FWM 7 DOWN\n");
        assert_eq!(lines_of(group, &quorum(false)), "VS [shop]:53 DOWN\n");
        assert_eq!(lines_of(tcp, &Event::SorryServerIn), "");
        assert_eq!(lines_of(tcp, &Event::ServerUp { server: 9 }), "");
    }

    #[test]
    fn scripts_are_those_of_the_event() {
        let site = site();
        let told = |event: &Event| -> Vec<String> {
            let commands = commands(&site.services[0], event);
            commands.iter().map(|it| it.text()).collect()
        };
        assert_eq!(told(&Event::ServerUp { server: 0 }), ["/bin/notify up 1"]);
        assert_eq!(told(&Event::ServerUp { server: 1 }), [""; 0]);
        assert_eq!(told(&quorum(true)), ["/bin/quorum up"]);
        assert_eq!(told(&quorum(false)), ["/bin/quorum down"]);
        let stopped = Event::Stopped {
            servers: vec![0, 1],
        };
        assert_eq!(
            told(&stopped),
            [
                "/bin/notify down 1",
                "/bin/notify down 2",
                "/bin/quorum down"
            ]
        );
    }
}
