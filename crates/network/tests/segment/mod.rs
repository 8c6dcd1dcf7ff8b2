//! Network namespaces of a test's own, and a follower within one.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::future::Future;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rlvs_network::{Event, Link, Network, NextHop, Unresolved};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::sync::mpsc::Receiver;

/// Whether tests that need root are to run; says so where not.
pub(crate) fn as_root() -> bool {
    let wanted = std::env::var_os("RLVS_ROOT_TESTS").is_some_and(|value| value == "1");
    let able = wanted && rustix::process::geteuid().is_root();
    if !able {
        println!("skipped: needs root and RLVS_ROOT_TESTS=1");
    }
    able
}

/// A network namespace, removed when dropped.
pub(crate) struct Namespace(String);

impl Namespace {
    pub(crate) fn new(role: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("rlvs-{}-{count}-{role}", std::process::id());
        run(&["netns", "add", &name]);
        let namespace = Self(name);
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs `ip` with these arguments in here.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let arguments = arguments.split_whitespace();
        let all: Vec<_> = ["-n", &self.0].into_iter().chain(arguments).collect();
        run(&all)
    }

    /// Runs `ip` once with all these lines.
    pub(crate) fn ip_batch(&self, lines: &str) {
        let file = std::env::temp_dir().join(format!("{}.batch", self.0));
        std::fs::write(&file, lines).unwrap();
        run(&["-n", &self.0, "-batch", file.to_str().unwrap()]);
        std::fs::remove_file(file).unwrap();
    }

    /// Runs `ethtool` with these arguments in here.
    pub(crate) fn ethtool(&self, arguments: &str) {
        let mut ip = Command::new("ip");
        ip.args(["netns", "exec", &self.0, "ethtool"]);
        let status = ip.args(arguments.split_whitespace()).status();
        assert!(status.is_ok_and(|status| status.success()), "{arguments}");
    }

    /// Joins this and `other` by a veth pair, each with `eth0` and these addresses.
    pub(crate) fn join(&self, other: &Self, here: &[&str], there: &[&str]) {
        self.ip(&format!(
            "link add eth0 type veth peer name eth0 netns {}",
            other.0
        ));
        for (namespace, addresses) in [(self, here), (other, there)] {
            for address in addresses {
                let nodad = if address.contains(':') { "nodad" } else { "" };
                namespace.ip(&format!("addr add {address} dev eth0 {nodad}"));
            }
            namespace.ip("link set eth0 up");
        }
    }

    /// The MAC address of `eth0`.
    pub(crate) fn mac(&self) -> [u8; 6] {
        let shown = self.ip("-o link show eth0");
        let mut words = shown
            .split_whitespace()
            .skip_while(|word| *word != "link/ether");
        parse_mac(words.nth(1).expect("a MAC address"))
    }

    /// Runs `test` in a thread in here, with a runtime of its own.
    pub(crate) fn run<F: Future<Output = ()>>(&self, test: impl FnOnce() -> F + Send) {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        std::thread::scope(|scope| {
            let within = scope.spawn(|| {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                let mut builder = tokio::runtime::Builder::new_current_thread();
                builder.enable_all().build().unwrap().block_on(test());
            });
            if let Err(panic) = within.join() {
                std::panic::resume_unwind(panic);
            }
        });
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

/// What is to come has come by then, however busy the machine is.
const SOON: Duration = Duration::from_secs(30);

/// A follower, and what it last told.
pub(crate) struct Watcher {
    pub(crate) network: Network,
    events: Receiver<Event>,
    pub(crate) links: Vec<Link>,
    pub(crate) hops: HashMap<IpAddr, Result<NextHop, Unresolved>>,
}

impl Watcher {
    pub(crate) fn new(addresses: &[&str]) -> Self {
        let (network, events) = Network::start().unwrap();
        network.watch(
            addresses
                .iter()
                .map(|text| text.parse().unwrap())
                .collect::<HashSet<_>>(),
        );
        Self {
            network,
            events,
            links: Vec::new(),
            hops: HashMap::new(),
        }
    }

    /// Waits until what was told satisfies `condition`; how long that took.
    pub(crate) async fn until(&mut self, condition: impl Fn(&Self) -> bool) -> Duration {
        let start = Instant::now();
        while !condition(self) {
            let left = SOON.saturating_sub(start.elapsed());
            match tokio::time::timeout(left, self.events.recv()).await {
                Ok(event) => self.take(event.expect("the follower runs")),
                Err(_) => panic!("not within {SOON:?}: {:?} {:?}", self.hops, self.links),
            }
        }
        start.elapsed()
    }

    /// Waits until `address` has a next hop with this destination.
    pub(crate) async fn until_at(&mut self, address: &str, mac: [u8; 6]) -> Duration {
        let address = address.parse().unwrap();
        let is_at = |watcher: &Self| matches!(watcher.hops.get(&address), Some(Ok(hop)) if hop.destination == mac);
        self.until(is_at).await
    }

    /// Waits until `address` is unresolved for this reason.
    pub(crate) async fn until_not(&mut self, address: &str, reason: Unresolved) {
        let address = address.parse().unwrap();
        let wanted = Some(Err(reason));
        self.until(|watcher| watcher.hops.get(&address).cloned() == wanted)
            .await;
    }

    /// Takes what comes within `time`: how many events came.
    pub(crate) async fn listen(&mut self, time: Duration) -> usize {
        let (end, mut count) = (tokio::time::Instant::now() + time, 0);
        while let Ok(event) = tokio::time::timeout_at(end, self.events.recv()).await {
            self.take(event.expect("the follower runs"));
            count += 1;
        }
        count
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Links(links) => self.links = links,
            Event::NextHop { address, hop } => _ = self.hops.insert(address, hop),
        }
    }
}

fn run(arguments: &[&str]) -> String {
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .expect("iproute2 is installed");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "ip {}: {complaint}",
        arguments.join(" ")
    );
    String::from_utf8(output.stdout).unwrap()
}

fn parse_mac(text: &str) -> [u8; 6] {
    let bytes: Vec<u8> = text
        .split(':')
        .map(|byte| u8::from_str_radix(byte, 16).unwrap())
        .collect();
    bytes.try_into().unwrap()
}
