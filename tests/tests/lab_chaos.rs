//! Two directors and three real servers, of which any is killed, stopped, restarted, parted from the
//! others and let in again, at random, with traffic on; and what must hold when all are well again.
//!
//! `RLVS_SEED=N` repeats a run's choices.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use rlvs_lab::address::with_port;
use rlvs_lab::{Get, Lab, Process, TwoDirectors, wait};
use rlvs_tests::scene::{connections, status};
use rustix::process::Signal;

const REAL_SERVERS: u8 = 3;
const INTERVAL: Duration = Duration::from_millis(100);
/// How long things go wrong.
const CHAOS: Duration = Duration::from_secs(20);
/// Between two of them, at most.
const PAUSE_MS: u64 = 1200;
const SOON: Duration = Duration::from_secs(90);

/// How a director is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Director {
    Well,
    Dead,
    Frozen,
}

struct Chaos {
    site: TwoDirectors,
    rng: Rng,
    directors: [Director; 2],
    /// Hosts by name that nobody hears.
    parted: Vec<String>,
    /// What was done, and when.
    done: Vec<String>,
    begun: Instant,
}

#[test]
fn all_is_well_again_when_all_are() -> Result<()> {
    let seed = match env::var("RLVS_SEED") {
        Ok(seed) => seed.parse().context("RLVS_SEED is no number")?,
        Err(_) => fastrand::u64(..),
    };
    println!("RLVS_SEED={seed}");
    let site = TwoDirectors::build(Lab::new()?, REAL_SERVERS)?;
    let before = [traces(&site, 0)?, traces(&site, 1)?];
    let mut chaos = Chaos {
        site,
        rng: Rng::with_seed(seed),
        directors: [Director::Dead; 2],
        parted: Vec::new(),
        done: Vec::new(),
        begun: Instant::now(),
    };
    let outcome = chaos.go(&before);
    outcome.with_context(|| format!("RLVS_SEED={seed}\n{}", chaos.done.join("\n")))
}

impl Chaos {
    fn go(&mut self, before: &[Traces; 2]) -> Result<()> {
        for director in 0..2 {
            self.start(director)?;
        }
        self.wait_for_the_first()?;
        let mut clients: Vec<_> = self
            .site
            .vips()
            .into_iter()
            .map(|vip| Client::start(&self.site, vip))
            .collect::<Result<_>>()?;
        self.begun = Instant::now();
        while self.begun.elapsed() < CHAOS {
            self.something()?;
            thread::sleep(Duration::from_millis(self.rng.u64(50..PAUSE_MS)));
        }
        self.heal()?;
        self.wait_for_the_first()?;
        for vip in self.site.vips() {
            self.serves(vip)?;
        }
        clients.iter_mut().try_for_each(Client::finish)?;
        self.is_consistent()?;
        self.is_removed(before)
    }

    fn something(&mut self) -> Result<()> {
        match self.rng.u8(..) % 8 {
            0..=3 => self.of_a_director(),
            4 | 5 => self.of_a_real_server(),
            _ => self.of_the_network(),
        }
    }

    fn of_a_director(&mut self) -> Result<()> {
        let which = self.rng.usize(..2);
        match (self.directors[which], self.rng.u8(..) % 3) {
            (Director::Dead, _) => self.start(which),
            (Director::Frozen, _) => self.thaw(which),
            (Director::Well, 0) => {
                self.say(&format!("director {which} is frozen"));
                self.directors[which] = Director::Frozen;
                self.signal(which, Signal::STOP)
            }
            (Director::Well, 1) => {
                self.say(&format!("director {which} is stopped"));
                self.directors[which] = Director::Dead;
                self.site.directors[which].stop()
            }
            (Director::Well, _) => {
                self.say(&format!("director {which} is killed"));
                self.directors[which] = Director::Dead;
                self.site.directors[which].kill9()
            }
        }
    }

    fn of_a_real_server(&mut self) -> Result<()> {
        let which = self.rng.usize(..usize::from(REAL_SERVERS));
        self.say(&format!("nginx of rs{} is restarted", which + 1));
        self.site.real_servers[which].restart_nginx()
    }

    fn of_the_network(&mut self) -> Result<()> {
        let which = self.rng.usize(..5);
        let host = self.host(which).name().to_owned();
        match self.parted.iter().position(|it| *it == host) {
            Some(place) => {
                self.parted.swap_remove(place);
                self.say(&format!("{host} is heard again"));
                self.site.switch.set_heard(self.host(which), true)
            }
            None => {
                self.say(&format!("{host} is heard no more"));
                self.parted.push(host);
                self.site.switch.set_heard(self.host(which), false)
            }
        }
    }

    fn host(&self, which: usize) -> &rlvs_lab::Host {
        match which {
            0 | 1 => &self.site.directors[which].host,
            _ => &self.site.real_servers[which - 2].host,
        }
    }

    fn heal(&mut self) -> Result<()> {
        self.say("everything is mended");
        for which in 0..5 {
            self.site.switch.set_heard(self.host(which), true)?;
        }
        self.parted.clear();
        for which in 0..2 {
            match self.directors[which] {
                Director::Well => {}
                Director::Dead => self.start(which)?,
                Director::Frozen => self.thaw(which)?,
            }
        }
        Ok(())
    }

    fn start(&mut self, which: usize) -> Result<()> {
        self.say(&format!("director {which} is started"));
        let text = self.site.configuration(which, INTERVAL);
        self.directors[which] = Director::Well;
        self.site.directors[which].start_rlvs_with(&text)
    }

    fn thaw(&mut self, which: usize) -> Result<()> {
        self.say(&format!("director {which} goes on"));
        self.directors[which] = Director::Well;
        self.signal(which, Signal::CONT)
    }

    fn signal(&mut self, which: usize, signal: Signal) -> Result<()> {
        let daemon = self.site.directors[which].daemon();
        daemon.context("no daemon")?.signal(signal)
    }

    fn say(&mut self, what: &str) {
        self.done.push(format!(
            "{:>6} ms: {what}",
            self.begun.elapsed().as_millis()
        ));
    }

    /// It has the higher priority: nobody else has the addresses.
    fn wait_for_the_first(&self) -> Result<()> {
        wait::until("the first has the addresses, and it alone", SOON, || {
            Ok(self.site.master()? == Some(0))
        })
    }

    fn serves(&self, vip: IpAddr) -> Result<()> {
        let get = Get::new(format!("http://{}/", with_port(vip, 80)));
        wait::until("requests are answered", SOON, || {
            Ok(get.once(&self.site.client).is_ok())
        })?;
        // By all, and none is lost.
        let answers = get.times(&self.site.client, 30)?;
        for server in &self.site.real_servers {
            let name = server.name();
            ensure!(
                answers.iter().any(|it| it == name),
                "{name} is left out: {answers:?}"
            );
        }
        Ok(())
    }

    /// Nothing contradicts itself, and what each table has is what was counted.
    fn is_consistent(&self) -> Result<()> {
        for director in &self.site.directors {
            let dropped = status(director)?.dropped;
            let internal = dropped.iter().find(|it| it.reason == "internal");
            ensure!(internal.is_none_or(|it| it.packets == 0), "{internal:?}");
            let mut found = (0, 0);
            let agree = wait::until("tables and counts agree", SOON, || {
                let services = status(director)?.services.into_iter();
                let destinations = services.flat_map(|it| it.destinations);
                let counted =
                    destinations.map(|it| it.active_connections + it.inactive_connections);
                found = (connections(director)?.len() as u32, counted.sum());
                Ok(found.0 == found.1)
            });
            agree.with_context(|| format!("{found:?} in {}", director.host.name()))?;
        }
        Ok(())
    }

    /// Nothing is left of directors that are removed.
    fn is_removed(&mut self, before: &[Traces; 2]) -> Result<()> {
        for (which, before) in before.iter().enumerate() {
            self.site.directors[which].rlvs("stop --remove")?;
            let after = traces(&self.site, which)?;
            ensure!(after == *before, "left: {after:#?}\nbefore: {before:#?}");
        }
        Ok(())
    }
}

/// What a director could leave.
#[derive(Debug, Eq, PartialEq)]
struct Traces {
    addresses: Vec<String>,
    rules: String,
    routes: String,
    filters: String,
    is_pinned: bool,
}

fn traces(site: &TwoDirectors, which: usize) -> Result<Traces> {
    let host = &site.directors[which].host;
    let shown = host.shell("ip -o address show | grep -v ' lo ' || true")?;
    // The words that do not change with time.
    let addresses = shown.lines().map(|line| {
        let words = line.split_whitespace().skip(1).take(3);
        words.collect::<Vec<_>>().join(" ")
    });
    let pins = format!("/sys/fs/bpf/rlvs/{}", host.cookie()?);
    Ok(Traces {
        addresses: addresses.collect(),
        rules: host.shell("ip rule; ip -6 rule")?,
        routes: host.shell("ip route show table all | grep -v ' lo ' | sort")?,
        filters: host.shell("tc filter show dev eth0 ingress; tc filter show dev eth0 egress")?,
        is_pinned: Path::new(&pins).exists(),
    })
}

/// Connections with some requests each, one after another.
struct Client {
    shell: Process,
    stop: PathBuf,
}

impl Client {
    fn start(site: &TwoDirectors, vip: IpAddr) -> Result<Self> {
        let name = if vip.is_ipv4() { "chaos4" } else { "chaos6" };
        let stop = site.client.directory()?.join(format!("{name}.stop"));
        let url = format!("http://{}/", with_port(vip, 80));
        // Each answer is told with the local port; whatever fails is begun anew.
        let script = format!(
            "for i in $(seq 5000); do [ ! -e {stop} ] || exit 0; echo run; \
             curl -sg -m 3 -w '%{{local_port}}\\n' {url} {url} {url} {url}; sleep 0.02; done",
            stop = stop.display(),
        );
        let shell = site.client.spawn(name, "bash", ["-c", &script])?;
        Ok(Self { shell, stop })
    }

    /// No connection was served by two real servers. How many were served at all is chance.
    fn finish(&mut self) -> Result<()> {
        fs::write(&self.stop, "")?;
        self.shell.wait(SOON)?;
        let log = self.shell.log();
        let mut served = 0;
        for run in log.split("run\n") {
            let mut servers = BTreeMap::new();
            let mut last = None;
            for line in run.lines() {
                if line.starts_with("rs") {
                    last = Some(line);
                } else if let Some(server) = last.take() {
                    // The answer's own line comes before its port.
                    let first = *servers.entry(line).or_insert(server);
                    ensure!(first == server, "one connection, two real servers: {run}");
                    served += 1;
                }
            }
        }
        println!("{served} requests were answered");
        ensure!(served > 0, "no request was answered");
        Ok(())
    }
}
