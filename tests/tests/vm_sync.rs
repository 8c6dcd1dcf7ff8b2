//! Synchronisation with the kernel's IPVS, both ways, on Debian's stock kernel.
//!
//! A kernel's director is the master: ours learns its connections, takes over their virtual addresses,
//! and they go on, by direct routing and by masquerading. Then ours is the master, and another kernel's director learns and takes over.
//! Calls of SIP go the same way.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Host, Vm, vm, wait};
use rlvs_tests::sip::{self, Callees};
use rlvs_tests::talk::Talk;

/// The real one, not rlvs by that name.
const KERNELS: &str = "/usr/sbin/ipvsadm";
/// The emulated machine is slow.
const SOON: Duration = Duration::from_secs(90);
/// Seconds that an entry may have aged, or its director lag, when listings are compared.
const LAG: u32 = 120;

/// A line of `ipvsadm -Lnc`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Listed {
    protocol: String,
    state: String,
    ends: [String; 3],
    expires: u32,
}

/// Who balances: our director or a kernel's.
struct Side<'h> {
    host: &'h Host,
    ipvsadm: &'static str,
}

impl Side<'_> {
    fn ipvsadm(&self, line: &str) -> Result<String> {
        self.host.run(self.ipvsadm, line.split_whitespace())
    }

    fn serve(&self, lab: &DirectRouting, method: Method) -> Result<()> {
        let method = match method {
            Method::DirectRoute => "-g",
            Method::Masquerade => "-m",
        };
        for vip in lab.vips() {
            for (flag, port, more) in [("-t", 80, "-p 600"), ("-u", 53, "")] {
                let service = format!("{flag} {}", with_port(vip, port));
                self.ipvsadm(&format!("-A {service} -s rr {more}"))?;
                for server in &lab.real_servers {
                    let real = with_port(server.host.address().like(vip), port);
                    self.ipvsadm(&format!("-a {service} -r {real} {method}"))?;
                }
            }
        }
        Ok(())
    }

    /// Calls of SIP, each a template alone.
    fn serve_calls(&self, lab: &DirectRouting) -> Result<()> {
        let vip = lab.vip4().into();
        let service = format!("-u {}", with_port(vip, sip::PORT));
        self.ipvsadm(&format!("-A {service} -s rr -p 600 -o --pe sip"))?;
        for server in &lab.real_servers {
            let real = with_port(server.host.address().like(vip), sip::PORT);
            self.ipvsadm(&format!("-a {service} -r {real} -g"))?;
        }
        Ok(())
    }

    /// Waits until it knows so many calls.
    fn wait_calls(&self, count: usize) -> Result<()> {
        wait::until("calls are known", SOON, || {
            let text = self.ipvsadm("-Lnc --persistent-conn")?;
            let calls = text
                .lines()
                .filter(|line| line.split_whitespace().any(|it| it == "sip"));
            Ok(calls.count() == count)
        })
    }

    /// Connections of the client's that go on, and its templates, but for those of calls, which have
    /// another client elsewhere.
    fn listed(&self) -> Result<BTreeSet<Listed>> {
        let text = self.ipvsadm("-Lnc")?;
        let lines = text.lines().skip(2);
        let all = lines.map(|line| listed(line).with_context(|| line.to_owned()));
        let all: Result<BTreeSet<_>> = all.collect();
        let calls = format!(":{}", sip::PORT);
        let lasts = |it: &Listed| {
            matches!(
                it.state.as_str(),
                "ESTABLISHED" | "UDP" | "NONE" | "ASSURED"
            ) && !it.ends[1].ends_with(&calls)
        };
        Ok(all?.into_iter().filter(lasts).collect())
    }

    /// Virtual addresses, and the one by which real servers answer.
    fn take(&self, lab: &DirectRouting, from: Option<&Host>) -> Result<()> {
        for vip in lab.vips().into_iter().chain(gateways()) {
            if let Some(from) = from {
                let length = if vip.is_ipv4() { 32 } else { 128 };
                let address = format!("{vip}/{length}");
                from.run("ip", ["addr", "del", &address, "dev", "eth0"])?;
            }
            self.host.add_address(vip, "eth0")?;
        }
        let real_servers = lab.real_servers.iter().map(|server| &server.host);
        for host in real_servers.chain([&lab.client]) {
            host.run("ip", ["neigh", "flush", "dev", "eth0"])?;
        }
        Ok(())
    }
}

fn listed(line: &str) -> Option<Listed> {
    let [
        protocol,
        expires,
        state,
        client,
        virtual_address,
        destination,
    ] = line.split_whitespace().collect::<Vec<_>>()[..]
    else {
        return None;
    };
    let (minutes, seconds) = expires.split_once(':')?;
    let ends = [client, virtual_address, destination];
    Some(Listed {
        protocol: protocol.to_owned(),
        state: state.to_owned(),
        ends: ends.map(str::to_owned),
        expires: minutes.parse::<u32>().ok()? * 60 + seconds.parse::<u32>().ok()?,
    })
}

/// Waits until one has what the other has: ends, states, and about the same time to live.
fn wait_same(master: &Side<'_>, backup: &Side<'_>, count: usize) -> Result<()> {
    let mut last = String::new();
    let same = wait::until("the backup has what the master has", SOON, || {
        let (theirs, ours) = (master.listed()?, backup.listed()?);
        last = format!("{theirs:#?}\n{ours:#?}");
        let alike = |a: &Listed, b: &Listed| {
            let open = |it: &Listed| it.state.replace("ASSURED", "NONE");
            (&a.protocol, open(a), &a.ends) == (&b.protocol, open(b), &b.ends)
                && a.expires.abs_diff(b.expires) < LAG
        };
        let is_there = |it: &Listed| ours.iter().any(|other| alike(it, other));
        Ok(theirs.len() == count && theirs.iter().all(is_there))
    });
    same.with_context(|| last)
}

/// A director of the kernel's at the switch.
fn kernel(lab: &DirectRouting, name: &str, number: u8) -> Result<Host> {
    let mut host = Host::new(&lab.lab, name)?;
    host.join(&lab.switch, number)?;
    Ok(host)
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Method {
    DirectRoute,
    Masquerade,
}

/// By these real servers answer the client under masquerading, though it is at the same switch.
const GATEWAYS: [&str; 2] = ["10.0.0.254", "fd00::254"];

fn gateways() -> [IpAddr; 2] {
    GATEWAYS.map(|it| it.parse().expect("it is an address"))
}

/// They have virtual addresses, or the director as their way to the client.
fn prepare(lab: &DirectRouting, hosts: [&Host; 3], method: Method) -> Result<()> {
    if method == Method::DirectRoute {
        let mut servers = lab.real_servers.iter();
        return servers.try_for_each(|server| server.up(&lab.vips()));
    }
    for host in hosts {
        host.forward()?;
        host.sysctl(&[
            ("net.ipv4.conf.all.send_redirects", "0"),
            ("net.ipv4.conf.eth0.send_redirects", "0"),
        ])?;
    }
    let client = lab.client.address();
    for server in &lab.real_servers {
        // A router tells IPv6 hosts of shorter ways.
        server.host.sysctl(&[
            ("net.ipv4.conf.all.accept_redirects", "0"),
            ("net.ipv4.conf.eth0.accept_redirects", "0"),
            ("net.ipv6.conf.all.accept_redirects", "0"),
            ("net.ipv6.conf.eth0.accept_redirects", "0"),
        ])?;
        for (to, gateway) in client.both().into_iter().zip(gateways()) {
            let family = if to.is_ipv4() { "-4" } else { "-6" };
            let way = format!("ip {family} route add {to} via {gateway}");
            server.host.shell(&way)?;
        }
    }
    Ok(())
}

#[test]
fn connections_go_from_kernel_to_rlvs_to_kernel() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(900));
        return machine.run_test("connections_go_from_kernel_to_rlvs_to_kernel");
    }
    go_from_kernel_to_rlvs_to_kernel(Method::DirectRoute)
}

#[test]
fn masquerading_goes_from_kernel_to_rlvs_to_kernel() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(900));
        return machine.run_test("masquerading_goes_from_kernel_to_rlvs_to_kernel");
    }
    go_from_kernel_to_rlvs_to_kernel(Method::Masquerade)
}

fn go_from_kernel_to_rlvs_to_kernel(method: Method) -> Result<()> {
    let mut lab = DirectRouting::new(2)?;
    for module in ["ip_vs_rr", "ip_vs_pe_sip"] {
        lab.director.host.run("modprobe", [module])?;
    }
    lab.director.start_rlvs()?;
    let hosts = [kernel(&lab, "old", 6)?, kernel(&lab, "new", 7)?];
    let [old, new] = hosts.each_ref().map(|host| Side {
        host,
        ipvsadm: KERNELS,
    });
    let ours = Side {
        host: &lab.director.host,
        ipvsadm: "ipvsadm",
    };
    prepare(&lab, [old.host, ours.host, new.host], method)?;
    for side in [&old, &ours, &new] {
        side.serve(&lab, method)?;
    }
    let mut calls = None;
    if method == Method::DirectRoute {
        for side in [&old, &ours, &new] {
            side.serve_calls(&lab)?;
        }
        calls = Some(Calls::new(&lab)?);
    }
    let group = "--mcast-interface eth0 --syncid 7";
    ours.ipvsadm(&format!("--start-daemon backup {group}"))?;
    old.ipvsadm(&format!("--start-daemon master {group}"))?;
    // Each packet tells: a question now and then is to be as good as a flood.
    old.host
        .run("sysctl", ["-qw", "net.ipv4.vs.sync_threshold=0 1"])?;
    old.take(&lab, None)?;
    let [four, six] = lab.vips();
    let mut talks = [
        Talk::http(&lab.client, four, 5001)?,
        Talk::dns(&lab.client, four, 5002)?,
        Talk::http(&lab.client, six, 5003)?,
        Talk::dns(&lab.client, six, 5004)?,
    ];
    if let Some(calls) = &mut calls {
        calls.begin(&lab, 1)?;
        ours.wait_calls(1)?;
    }
    // With a template each of the two that are persistent.
    wait_same(&old, &ours, 6).context("from the kernel to rlvs")?;
    ours.take(&lab, Some(old.host))?;
    go_on(&mut talks).context("by way of rlvs")?;
    if let Some(calls) = &mut calls {
        // Here whoever sends them, in the kernel only who began them, or is of the same network.
        calls.sender = 201;
        calls.go_on(&lab).context("calls by way of rlvs")?;
        calls.sender = 200;
        // In turn, so that one of them is where the first is.
        calls.begin(&lab, 2)?;
    }
    old.ipvsadm("--stop-daemon master")?;
    ours.ipvsadm("--stop-daemon backup")?;

    new.ipvsadm(&format!("--start-daemon backup {group}"))?;
    ours.ipvsadm(&format!("--start-daemon master {group}"))?;
    wait_same(&ours, &new, 6).context("from rlvs to the kernel")?;
    if calls.is_some() {
        new.wait_calls(3)?;
    }
    let told = new.host.run("cat", ["/proc/net/ip_vs_conn_sync"])?;
    ensure!(told.matches("SYNC").count() >= 6, "{told}");
    new.take(&lab, Some(ours.host))?;
    if let Some(calls) = &mut calls {
        calls.go_on(&lab).context("calls by way of the kernel")?;
    }
    go_on(&mut talks).context("by way of the kernel")
}

/// Calls, and the real server that each has.
struct Calls {
    callees: Callees,
    known: Vec<(String, usize)>,
    /// The client's address that sends: what goes on here and there is one client's.
    sender: u8,
}

impl Calls {
    fn new(lab: &DirectRouting) -> Result<Self> {
        Ok(Self {
            callees: Callees::start(lab)?,
            known: Vec::new(),
            sender: 200,
        })
    }

    fn begin(&mut self, lab: &DirectRouting, count: usize) -> Result<()> {
        for _ in 0..count {
            let call = format!("{}@client.example", self.known.len());
            let server = self.send(lab, &call)?;
            self.known.push((call, server));
        }
        Ok(())
    }

    /// Those at one real server one after the other: whoever knew none of them would send them in turn.
    fn go_on(&mut self, lab: &DirectRouting) -> Result<()> {
        let mut known = self.known.clone();
        known.sort_by_key(|(_, server)| *server);
        for (call, server) in known {
            let now = self.send(lab, &call)?;
            ensure!(now == server, "{call} went to {server}, and now to {now}");
        }
        Ok(())
    }

    fn send(&mut self, lab: &DirectRouting, call: &str) -> Result<usize> {
        let vip = lab.vip4();
        let [a, b, c, _] = vip.octets();
        let own = IpAddr::from([a, b, c, self.sender]);
        lab.client.add_address(own, "eth0")?;
        self.callees.reached(&lab.client, own, vip.into(), call)
    }
}

fn go_on(talks: &mut [Talk]) -> Result<()> {
    talks
        .iter_mut()
        .try_for_each(|talk| talk.goes_on().map(drop))
}

/// What has ended at the master ends at the backup, which hears by an IPv6 group with several ports.
#[test]
fn endings_are_told_by_ipv6_too() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(900));
        return machine.run_test("endings_are_told_by_ipv6_too");
    }
    let mut lab = DirectRouting::new(1)?;
    lab.director.host.run("modprobe", ["ip_vs_rr"])?;
    lab.director.start_rlvs()?;
    lab.real_servers[0].up(&lab.vips())?;
    let host = kernel(&lab, "kernel", 6)?;
    let kernels = Side {
        host: &host,
        ipvsadm: KERNELS,
    };
    let ours = Side {
        host: &lab.director.host,
        ipvsadm: "ipvsadm",
    };
    for side in [&kernels, &ours] {
        side.serve(&lab, Method::DirectRoute)?;
    }
    host.run("sysctl", ["-qw", "net.ipv4.vs.sync_ports=2"])?;
    lab.director.rlvs("sysctl -w net.ipv4.vs.sync_ports=2")?;
    let group = "--mcast-interface eth0 --mcast-group ff02::1:81 --mcast-port 9000";
    kernels.ipvsadm(&format!("--start-daemon backup {group}"))?;
    ours.ipvsadm(&format!("--start-daemon master {group}"))?;
    ours.take(&lab, None)?;
    let [four, _] = lab.vips();
    let mut talks: Vec<_> = (5001..5009)
        .map(|port| Talk::http(&lab.client, four, port))
        .collect::<Result<_>>()?;
    go_on(&mut talks)?;
    let states = || {
        let text = kernels.ipvsadm("-Lnc")?;
        let states = text.lines().filter_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words.get(3)?.contains(":500").then(|| words[2].to_owned())
        });
        anyhow::Ok(states.collect::<Vec<_>>())
    };
    wait::until("all are known", SOON, || {
        let states = states()?;
        Ok(states.len() == 8 && states.iter().all(|state| state == "ESTABLISHED"))
    })?;
    drop(talks);
    wait::until("all are over", SOON, || {
        let over = |state: &String| matches!(state.as_str(), "FIN_WAIT" | "TIME_WAIT" | "CLOSE");
        Ok(states()?.iter().all(over))
    })
}
