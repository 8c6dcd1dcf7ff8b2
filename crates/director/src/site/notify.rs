//! Who is told what checks have found: scripts of the configuration, its FIFOs, and people by mail.
//!
//! As keepalived: a script gets the arguments that the configuration gives it, and runs beside all
//! else; a FIFO gets a line, if somebody reads it.

mod fifo;
mod letter;
mod names;
mod post;
mod sender;
mod vrrp;

use std::time::{Duration, SystemTime};

use rlvs_check::machine::Event;
use rlvs_check::spec::Script;
use rlvs_config::Site;
use rlvs_config::model::{Alerts, Command, Fifo, VirtualServer};
use rlvs_speaker::Told;
use tokio::task::JoinSet;
use tokio::time::timeout;

use fifo::Pipe;
use letter::Letter;
use post::Post;

/// A script that is still there then is ended.
const LONGEST: Duration = Duration::from_secs(300);
/// keepalived's time for a script at the start, and one at the end.
const LONGEST_ONCE: u32 = 10;

/// What a change of a real server comes from.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    /// The kind of check.
    pub(super) check: &'static str,
    /// Why it failed.
    pub(super) reason: Option<String>,
}

/// A FIFO, and what is written there.
#[derive(Debug)]
struct Ear {
    pipe: Pipe,
    hears: Hears,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Hears {
    Servers,
    Vrrp,
    All,
}

/// Those who are told.
#[derive(Debug, Default)]
pub(super) struct Notifiers {
    /// What is done just now: scripts, readers of FIFOs, mail.
    running: JoinSet<()>,
    pipes: Vec<Ear>,
    post: Option<Post>,
    no_checker_emails: bool,
}

impl Notifiers {
    /// Makes FIFOs that are not there, opens those that are not open, and sends mail as this site has
    /// it.
    pub(super) fn follow(&mut self, site: &Site) {
        let wanted: Vec<_> = fifos(&site.alerts).collect();
        self.pipes
            .retain(|ear| wanted.iter().any(|(fifo, hears)| ear.is(fifo, *hears)));
        for (fifo, hears) in wanted {
            if self.pipes.iter().any(|ear| ear.is(fifo, hears)) {
                continue;
            }
            match Pipe::open(fifo, &mut self.running) {
                Ok(pipe) => self.pipes.push(Ear { pipe, hears }),
                Err(error) => tracing::warn!(fifo = %fifo.path.display(), %error, "cannot be used"),
            }
        }
        self.no_checker_emails = site.alerts.no_checker_emails;
        let mail = site.alerts.mail.as_ref().filter(|mail| !mail.to.is_empty());
        let is_same = match (mail, &self.post) {
            (Some(mail), Some(post)) => post.is(mail),
            (mail, post) => mail.is_none() && post.is_none(),
        };
        if !is_same {
            // What waits at the one before is sent by it.
            self.post = mail.map(|mail| Post::open(mail, &mut self.running));
        }
    }

    /// Tells of an event of a virtual server, whose real servers are named by their place. Scripts
    /// run among others.
    pub(super) fn tell(&mut self, server: &VirtualServer, event: &Event, cause: Option<&Cause>) {
        while self.running.try_join_next().is_some() {}
        for command in commands(server, event) {
            let script = script(command, Some(LONGEST));
            self.running.spawn(run(script));
        }
        if let Some(line) = fifo::line(server, event) {
            self.write(Hears::Servers, &line);
        }
        let Some(post) = &self.post else { return };
        let is_real = matches!(event, Event::ServerUp { .. } | Event::ServerDown { .. });
        if is_real && self.no_checker_emails {
            return;
        }
        if let Some(letter) = Letter::new(server, event, cause, SystemTime::now()) {
            post.hand_in(letter);
        }
    }

    /// Tells of VRRP, of a configuration that has whom this is about.
    pub(super) fn tell_vrrp(&mut self, site: &Site, told: &Told) {
        while self.running.try_join_next().is_some() {}
        let telling = vrrp::telling(&site.vrrp, &site.alerts, told, SystemTime::now());
        for command in &telling.commands {
            let script = script(command, Some(LONGEST));
            self.running.spawn(run(script));
        }
        if let Some(line) = &telling.line {
            self.write(Hears::Vrrp, line);
        }
        if let (Some(post), Some(letter)) = (&self.post, telling.letter) {
            post.hand_in(letter);
        }
    }

    fn write(&mut self, what: Hears, line: &str) {
        let ears = self.pipes.iter_mut();
        let hearing = ears.filter(|ear| ear.hears == Hears::All || ear.hears == what);
        hearing.for_each(|ear| ear.pipe.write(line));
    }

    /// Ends what goes on, and gives it a time.
    pub(super) async fn end(&mut self, patience: Duration) {
        self.pipes.clear();
        self.post = None;
        let running = core::mem::take(&mut self.running);
        let _ = timeout(patience, running.join_all()).await;
    }
}

/// Runs the script of a daemon's start, or of its end, if there is one.
pub(super) fn run_once(
    command: Option<&Command>,
    seconds: Option<u32>,
) -> impl Future<Output = ()> + Send + use<> {
    let longest = Duration::from_secs(seconds.unwrap_or(LONGEST_ONCE).into());
    let script = command.map(|command| script(command, Some(longest)));
    async move {
        if let Some(script) = script {
            run(script).await;
        }
    }
}

impl Ear {
    fn is(&self, fifo: &Fifo, hears: Hears) -> bool {
        self.hears == hears && self.pipe.is(fifo)
    }
}

fn fifos(alerts: &Alerts) -> impl Iterator<Item = (&Fifo, Hears)> {
    let all = alerts.fifo.iter().map(|it| (it, Hears::All));
    let servers = alerts.lvs_fifo.iter().map(|it| (it, Hears::Servers));
    let vrrp = alerts.vrrp_fifo.iter().map(|it| (it, Hears::Vrrp));
    all.chain(servers).chain(vrrp)
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

fn script(command: &Command, longest: Option<Duration>) -> Script {
    Script {
        user: command.user.clone(),
        group: command.group.clone(),
        timeout: longest,
        ..Script::new(command.words.iter().cloned())
    }
}

async fn run(script: Script) {
    let said = script.command.join(" ");
    match rlvs_probe::run_script(&script, LONGEST).await {
        Ok(()) => tracing::debug!(script = said, "done"),
        Err(problem) => tracing::warn!(script = said, problem, "notifier"),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

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
smtp_alert = true

[[service.real]]
address = "10.0.0.2:80"
notify_down = "/bin/notify down 2"

[[service]]
mark = 7
real = [{ address = "10.0.0.1", smtp_alert = true }]

[[service]]
group = "shop"
udp = ["192.0.2.2-3:53"]
smtp_alert = true
real = [{ address = "10.0.0.1" }]
"#;

    pub(super) fn site() -> Site {
        let reading = written::read(Path::new("site.toml"), SITE.to_owned());
        reading
            .unwrap_or_else(|it| panic!("{}", it.pictures()))
            .site
    }

    pub(super) fn quorum(is_there: bool) -> Event {
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
        fifo::line(server, event).unwrap_or_default()
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
        assert_eq!(lines_of(group, &quorum(false)), "VS [shop]:0 DOWN\n");
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
