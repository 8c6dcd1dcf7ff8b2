//! A real server and a client on one segment, each a network namespace of the test's own.

use std::fs::File;
use std::future::Future;
use std::os::fd::AsFd;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace, removed when dropped.
pub(crate) struct Namespace(String);

/// A segment, or none where tests that need root are not to run.
pub(crate) fn segment() -> Option<(Namespace, Namespace)> {
    let wanted = std::env::var_os("RLVS_ROOT_TESTS").is_some_and(|value| value == "1");
    if !wanted || !rustix::process::geteuid().is_root() {
        println!("skipped: needs root and RLVS_ROOT_TESTS=1");
        return None;
    }
    let (server, client) = (Namespace::new("rs"), Namespace::new("client"));
    server.ip(&format!(
        "link add eth0 type veth peer name eth0 netns {}",
        client.0
    ));
    for (namespace, last) in [(&server, 2), (&client, 1)] {
        namespace.ip(&format!("addr add 192.0.2.{last}/24 dev eth0"));
        namespace.ip(&format!("addr add 2001:db8::{last}/64 dev eth0 nodad"));
        namespace.ip("link set eth0 up");
    }
    Some((server, client))
}

impl Namespace {
    fn new(role: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = Self(format!("rlvs-{}-{count}-{role}", std::process::id()));
        ip(&["netns", "add", &namespace.0]);
        namespace.ip("link set lo up");
        namespace
    }

    /// Runs `ip` with these arguments in here.
    pub(crate) fn ip(&self, arguments: &str) -> String {
        let arguments = arguments.split_whitespace();
        let all: Vec<_> = ["-n", &self.0].into_iter().chain(arguments).collect();
        ip(&all)
    }

    /// Whether anyone on the segment answers for `address` within two seconds.
    pub(crate) fn hears_of(&self, address: &str) -> bool {
        self.ip(&format!("neigh replace {address} dev eth0 use"));
        let start = Instant::now();
        let mut heard = false;
        while !heard && start.elapsed() < Duration::from_secs(2) {
            std::thread::sleep(Duration::from_millis(50));
            heard = self
                .ip(&format!("neigh show {address} dev eth0"))
                .contains("lladdr");
        }
        self.ip(&format!("neigh flush {address}"));
        heard
    }

    /// The MAC address of `eth0`.
    pub(crate) fn mac(&self) -> String {
        let shown = self.ip("-o link show eth0");
        let mut words = shown
            .split_whitespace()
            .skip_while(|word| *word != "link/ether");
        words.nth(1).expect("a MAC address").to_string()
    }

    /// Does `work` in a thread in here.
    pub(crate) fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let file = File::open(format!("/run/netns/{}", self.0)).unwrap();
        let enter = || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
            work()
        };
        std::thread::scope(|scope| scope.spawn(enter).join())
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// Runs `future` in here.
    pub(crate) fn run<T: Send, F: Future<Output = T>>(
        &self,
        future: impl FnOnce() -> F + Send,
    ) -> T {
        self.within(|| {
            let mut builder = tokio::runtime::Builder::new_current_thread();
            builder.enable_all().build().unwrap().block_on(future())
        })
    }

    /// The value of a setting under `net.ipv4.conf`.
    pub(crate) fn setting(&self, setting: &str) -> String {
        let path = format!("/proc/sys/net/ipv4/conf/{setting}");
        self.within(|| std::fs::read_to_string(path).unwrap().trim().to_string())
    }

    pub(crate) fn set(&self, setting: &str, value: &str) {
        let path = format!("/proc/sys/net/ipv4/conf/{setting}");
        self.within(|| std::fs::write(path, value).unwrap());
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

fn ip(arguments: &[&str]) -> String {
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
