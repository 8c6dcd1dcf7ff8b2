//! A lab whose director runs in one mode, and what end-to-end tests do and look at there.

mod download;
mod frames;
mod held;
mod idle;
mod listing;
mod load;
mod reuse;
pub mod stream;
mod transfer;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::Status;
use rlvs_control::status::{Attachment, NextHop};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Director, Get, wait};

pub use download::Download;
pub use frames::Frames;
pub use held::Held;
pub use idle::Idle;
pub use listing::{Connection, Numbers, connections, counts, statistics};
pub use load::Load;
pub use reuse::Reuse;
pub use stream::Stream;
pub use transfer::Transfer;

/// What takes no time but the machine's.
pub const SOON: Duration = Duration::from_secs(60);

/// How the director's program is attached.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    Generic,
    Native,
    Tc,
}

/// Makes of each function, which takes a [`Mode`], one test for either of the modes that are
/// chosen by themselves.
#[macro_export]
macro_rules! in_both_modes {
    ($($test:ident),+ $(,)?) => {
        mod tc {
            $(#[test]
            fn $test() -> anyhow::Result<()> {
                super::$test($crate::scene::Mode::Tc)
            })+
        }
        mod native {
            $(#[test]
            fn $test() -> anyhow::Result<()> {
                super::$test($crate::scene::Mode::Native)
            })+
        }
    };
}

impl Mode {
    /// The daemon's configuration, for the interface `eth0` alone.
    pub fn configuration(self) -> String {
        let table = self.configuration_of_all();
        format!("{table}names = [\"eth0\"]\n")
    }

    /// The daemon's configuration, for all interfaces there are.
    pub fn configuration_of_all(self) -> String {
        let mode = match self {
            Self::Generic => "generic",
            Self::Native => "native",
            Self::Tc => "tc",
        };
        format!("connections = 65536\n[interfaces]\nmode = \"{mode}\"\n")
    }

    pub fn attachment(self) -> Attachment {
        match self {
            Self::Generic => Attachment::Generic,
            Self::Native => Attachment::Native,
            Self::Tc => Attachment::Tc,
        }
    }
}

/// Client, director and real servers, all up for the virtual addresses; no service yet.
#[derive(Debug)]
pub struct Scene {
    lab: DirectRouting,
    mode: Mode,
}

impl Scene {
    pub fn new(mode: Mode, real_servers: u8) -> Result<Self> {
        let lab = DirectRouting::new(real_servers)?;
        let mut scene = Self { lab, mode };
        scene.director.add_vips(&scene.vips())?;
        scene.start()?;
        for server in &scene.real_servers {
            server.up(&scene.vips())?;
        }
        Ok(scene)
    }

    /// Starts the daemon anew with another mode, and waits for it.
    pub fn restart(&mut self, mode: Mode) -> Result<()> {
        self.mode = mode;
        self.lab.director.stop()?;
        self.start()
    }

    /// Starts the daemon, first or anew; it is on `eth0` when this returns.
    pub fn start(&mut self) -> Result<()> {
        let configuration = self.mode.configuration();
        self.lab.director.start_rlvs_with(&configuration)?;
        wait_attached(&self.lab.director, "eth0", &self.mode.attachment())
    }

    /// Adds a TCP service at port 80 of `vip`, with the real servers in order for as many weights
    /// as there are.
    pub fn add_http(&self, vip: IpAddr, scheduler: &str, weights: &[u32]) -> Result<()> {
        let service = http(vip);
        self.director
            .ipvsadm(&format!("-A {service} -s {scheduler}"))?;
        for (number, weight) in weights.iter().enumerate() {
            self.add_server(vip, number, *weight)?;
        }
        Ok(())
    }

    /// Adds real server `number`, from 0 on, to the service at port 80 of `vip`, and waits until
    /// its MAC address is known.
    pub fn add_server(&self, vip: IpAddr, number: usize, weight: u32) -> Result<()> {
        let (service, real) = (http(vip), self.real(vip, number));
        self.director
            .ipvsadm(&format!("-a {service} -r {real} -g -w {weight}"))?;
        self.wait_mac(vip, number, SOON)
    }

    /// Address and port 80 of real server `number`, of the same family as `vip`.
    pub fn real(&self, vip: IpAddr, number: usize) -> String {
        let host = &self.lab.real_servers[number].host;
        with_port(host.address().like(vip), 80)
    }

    /// The name that a real server gives, which has this address and port.
    pub fn name_of(&self, real: &str) -> Result<String> {
        let name = self
            .lab
            .real_servers
            .iter()
            .enumerate()
            .find(|(number, _)| {
                self.vips()
                    .iter()
                    .any(|&vip| self.real(vip, *number) == real)
            });
        let (_, server) = name.with_context(|| format!("no real server is {real}"))?;
        Ok(server.name().to_owned())
    }

    /// Requests for the name of who answers, from the client to port 80 of `vip`.
    pub fn ask(&self, vip: IpAddr, count: u32) -> Result<Vec<String>> {
        self.get(vip).times(&self.client, count)
    }

    /// A request from the client to port 80 of `vip`.
    pub fn get(&self, vip: IpAddr) -> Get {
        Get::new(format!("http://{}/", with_port(vip, 80)))
    }

    /// How many of `count` requests each real server answered.
    pub fn shares(&self, vip: IpAddr, count: u32) -> Result<BTreeMap<String, u32>> {
        let mut shares = BTreeMap::new();
        for answer in self.ask(vip, count)? {
            *shares.entry(answer).or_default() += 1;
        }
        Ok(shares)
    }

    /// Begins to download from `vip`, by way of the client's port of that number.
    pub fn download(&self, vip: IpAddr, number: u16) -> Result<Download> {
        Download::start(&self.client, &with_port(vip, 80), client_port(vip, number))
    }

    /// The connection of the client's port of that number with `vip`.
    pub fn connection(&self, vip: IpAddr, number: u16) -> Result<Connection> {
        let port = client_port(vip, number);
        let mut connections = connections(&self.director)?.into_iter();
        let found = connections.find(|connection| connection.client.port() == port);
        found.with_context(|| format!("no connection of port {port}"))
    }

    /// The connections of the first downloads from all virtual addresses, which go on.
    pub fn downloading(&self) -> Result<Vec<Connection>> {
        let vips = self.vips().into_iter();
        let connections: Vec<_> = vips
            .map(|vip| self.connection(vip, 1))
            .collect::<Result<_>>()?;
        for connection in &connections {
            ensure!(connection.state == "ESTABLISHED", "{connection:?}");
        }
        Ok(connections)
    }

    /// Waits until the frames for real server `number` go to the MAC address it has.
    pub fn wait_mac(&self, vip: IpAddr, number: usize, limit: Duration) -> Result<()> {
        let mac = &self.real_servers[number].host.address().mac;
        wait::until(&format!("{mac} is known"), limit, || {
            Ok(match self.next_hop(vip, number)? {
                NextHop::Resolved { mac: known, .. } => known == *mac,
                NextHop::Local | NextHop::Unresolved { .. } => false,
            })
        })
    }

    /// What `rlvs status` says of real server `number` in the service at port 80 of `vip`.
    pub fn next_hop(&self, vip: IpAddr, number: usize) -> Result<NextHop> {
        next_hop(&self.director, &self.real(vip, number))
    }

    /// Expects that nobody listens at port 80 of `vip`: the director's stack refuses.
    pub fn expect_refused(&self, vip: IpAddr) -> Result<()> {
        let url = format!("http://{}/", with_port(vip, 80));
        let curl = self
            .client
            .try_run("curl", ["-sS", "-g", "-m", "5", &url])?;
        ensure!(
            curl.status.code() == Some(7),
            "not refused: {}{}",
            curl.stdout,
            curl.stderr
        );
        Ok(())
    }
}

impl Deref for Scene {
    type Target = DirectRouting;

    fn deref(&self) -> &DirectRouting {
        &self.lab
    }
}

impl DerefMut for Scene {
    fn deref_mut(&mut self) -> &mut DirectRouting {
        &mut self.lab
    }
}

/// The words for `ipvsadm` that name the TCP service at port 80 of `vip`.
pub fn http(vip: IpAddr) -> String {
    format!("-t {}", with_port(vip, 80))
}

/// Ports of either family are different ones: curl binds to both at a time.
fn client_port(vip: IpAddr, number: u16) -> u16 {
    number + if vip.is_ipv4() { 4000 } else { 6000 }
}

/// All that `rlvs status` knows.
pub fn status(director: &Director) -> Result<Status> {
    let text = director.rlvs("status --json")?;
    serde_json::from_str(&text).with_context(|| text.clone())
}

/// How many packets were dropped for this reason.
pub fn dropped(director: &Director, reason: &str) -> Result<u64> {
    let counters = status(director)?.dropped;
    let counter = counters
        .into_iter()
        .find(|counter| counter.reason == reason);
    Ok(counter.context("no such reason")?.packets)
}

/// How the program is on `interface`.
pub fn attachment(director: &Director, interface: &str) -> Result<Option<Attachment>> {
    let interfaces = status(director)?.interfaces;
    let found = interfaces.into_iter().find(|known| known.name == interface);
    Ok(found.map(|known| known.attachment))
}

/// Waits until the program is on `interface` so.
pub fn wait_attached(director: &Director, interface: &str, expected: &Attachment) -> Result<()> {
    let what = format!("{interface} has {expected:?}");
    wait::until(&what, SOON, || {
        Ok(attachment(director, interface)?.as_ref() == Some(expected))
    })
}

/// The next hop of the destination `real`, in whatever service.
pub fn next_hop(director: &Director, real: &str) -> Result<NextHop> {
    let services = status(director)?.services;
    let mut destinations = services
        .into_iter()
        .flat_map(|service| service.destinations);
    let found = destinations.find(|it| with_port(it.key.address, it.key.port) == real);
    Ok(found
        .with_context(|| format!("no destination {real}"))?
        .next_hop)
}
