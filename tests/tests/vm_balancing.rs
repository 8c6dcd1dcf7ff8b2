//! Real HTTP balanced by direct routing on Debian's stock kernel, the oldest that rlvs is for.
//!
//! A smaller run of what is tested in namespaces elsewhere: that this kernel's verifier takes the
//! program, that it attaches to a veth in the driver and in traffic control, forwards
//! IPv4 and IPv6 to real nginx and counts connections, that a killed daemon is missed by nobody
//! and its successor takes over, and that `rlvs down` leaves nothing.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_control::Status;
use rlvs_control::status::{Attachment, NextHop};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Get, Vm, vm, wait};

const REAL_SERVERS: u8 = 3;
/// Requests of one run; each real server gets a third.
const REQUESTS: u32 = 6;
/// The emulated machine is slow.
const SOON: Duration = Duration::from_secs(120);

#[test]
fn http_is_balanced() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(600));
        return machine.run_test("http_is_balanced");
    }
    let mut lab = DirectRouting::new(REAL_SERVERS)?;
    lab.director.add_vips(&lab.vips())?;
    for server in &lab.real_servers {
        server.up(&lab.vips())?;
    }
    walk(&mut lab, "native", &Attachment::Native)?;
    // Here by a filter: this kernel has no links for tc.
    walk(&mut lab, "tc", &Attachment::Tc)
}

/// From no director to none.
fn walk(lab: &mut DirectRouting, mode: &str, attachment: &Attachment) -> Result<()> {
    // Without a program on lo, which the kernel would verify for nothing.
    let configuration = format!(
        "connections = 4096\n[interfaces]\nnames = [\"eth0\"]\nloopback = false\nmode = \"{mode}\"\n"
    );
    lab.director.start_rlvs_with(&configuration)?;
    wait_attached(lab, attachment)?;
    // None may end before they are counted, which here takes minutes.
    lab.director.ipvsadm("--set 3000 3000 3000")?;
    balance(lab)?;

    let before = lab.director.ipvsadm("-Sn")?;
    lab.director.kill9()?;
    for vip in lab.vips() {
        shares_are_equal(lab, vip)?;
    }
    lab.director.start_rlvs_with(&configuration)?;
    wait_attached(lab, attachment)?;
    ensure!(lab.director.ipvsadm("-Sn")? == before, "rules were lost");
    for vip in lab.vips() {
        let connections: u32 = counts(lab, vip)?.iter().map(|(a, i)| a + i).sum();
        ensure!(connections == 2 * REQUESTS + 1, "{vip}: {connections}");
        shares_are_equal(lab, vip)?;
    }

    lab.director.stop()?;
    lab.director.rlvs("down")?;
    nothing_is_left(lab)
}

fn balance(lab: &DirectRouting) -> Result<()> {
    for vip in lab.vips() {
        add_service(lab, vip)?;
    }
    wait_resolved(lab)?;
    for vip in lab.vips() {
        shares_are_equal(lab, vip)?;
        let share = REQUESTS / u32::from(REAL_SERVERS);
        wait::until("all are closed", SOON, || {
            Ok(counts(lab, vip)? == [(0, share); REAL_SERVERS as usize])
        })?;
        an_open_connection_is_active(lab, vip)?;
    }
    Ok(())
}

fn add_service(lab: &DirectRouting, vip: IpAddr) -> Result<()> {
    let service = with_port(vip, 80);
    lab.director.ipvsadm(&format!("-A -t {service} -s rr"))?;
    for server in &lab.real_servers {
        let server = with_port(server.host.address().like(vip), 80);
        lab.director
            .ipvsadm(&format!("-a -t {service} -r {server} -g"))?;
    }
    Ok(())
}

/// Round robin gives each real server exactly its third, wherever its turn stands.
fn shares_are_equal(lab: &DirectRouting, vip: IpAddr) -> Result<()> {
    let url = format!("http://{}/who", with_port(vip, 80));
    let ask = |_| {
        let get = Get::new(&url).limit(SOON).from_port(unused_port());
        get.once(&lab.client)
    };
    let answers: Vec<_> = (0..REQUESTS).map(ask).collect::<Result<_>>()?;
    let mut shares = BTreeMap::new();
    for answer in &answers {
        *shares.entry(answer.trim_end()).or_insert(0) += 1;
    }
    let names: Vec<_> = (1..=REAL_SERVERS).map(|n| format!("rs{n}")).collect();
    let share = REQUESTS / u32::from(REAL_SERVERS);
    let equal = names.iter().map(|name| (name.as_str(), share)).collect();
    ensure!(shares == equal, "{vip}: {answers:?}");
    Ok(())
}

/// A client's port that no connection had: of one that had, and is in FIN_WAIT, a new connection goes
/// where the old one went, as in IPVS, and takes no turn.
fn unused_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// One that is open counts as active, and no longer when it is closed.
fn an_open_connection_is_active(lab: &DirectRouting, vip: IpAddr) -> Result<()> {
    let active = || -> Result<u32> { Ok(counts(lab, vip)?.iter().map(|(active, _)| active).sum()) };
    let open = format!("exec 3<>/dev/tcp/{vip}/80; exec sleep 600");
    let mut client = lab.client.spawn("open", "bash", ["-c", &open])?;
    wait::until("an open connection is active", SOON, || Ok(active()? == 1))?;
    client.stop()?;
    wait::until("a closed connection is not active", SOON, || {
        Ok(active()? == 0)
    })
}

/// Active and inactive connections of each destination.
fn counts(lab: &DirectRouting, vip: IpAddr) -> Result<Vec<(u32, u32)>> {
    let listing = lab
        .director
        .ipvsadm(&format!("-Ln -t {}", with_port(vip, 80)))?;
    let mut counts = Vec::new();
    for line in listing
        .lines()
        .filter(|line| line.starts_with("  -> ") && !line.contains("RemoteAddress"))
    {
        let words: Vec<&str> = line.split_whitespace().collect();
        ensure!(words.len() == 6, "{line}");
        counts.push((words[4].parse()?, words[5].parse()?));
    }
    Ok(counts)
}

fn status(lab: &DirectRouting) -> Result<Status> {
    Ok(serde_json::from_str(&lab.director.rlvs("status --json")?)?)
}

fn wait_attached(lab: &DirectRouting, attachment: &Attachment) -> Result<()> {
    wait::until("the program is attached", SOON, || {
        let status = status(lab)?;
        Ok(status
            .interfaces
            .iter()
            .any(|it| it.name == "eth0" && it.attachment == *attachment))
    })
}

fn wait_resolved(lab: &DirectRouting) -> Result<()> {
    wait::until("next hops are known", SOON, || {
        let status = status(lab)?;
        let mut destinations = status
            .services
            .iter()
            .flat_map(|service| &service.destinations);
        Ok(destinations.all(|it| matches!(it.next_hop, NextHop::Resolved { .. })))
    })
}

fn nothing_is_left(lab: &DirectRouting) -> Result<()> {
    let links = lab
        .director
        .host
        .run("ip", ["link", "show", "dev", "eth0"])?;
    ensure!(!links.contains("xdp"), "a program is attached: {links}");
    let filters = "tc filter show dev eth0 ingress";
    let filters = lab.director.host.shell(filters)?;
    ensure!(filters.is_empty(), "a program is attached: {filters}");
    for directory in ["/sys/fs/bpf", "/run/rlvs"] {
        let mut left = files(Path::new(directory))?;
        // What real servers were before is theirs.
        left.retain(|file| !file.starts_with("/run/rlvs/realserver"));
        ensure!(left.is_empty(), "left: {left:?}");
    }
    let down = lab.director.rlvs("down")?;
    ensure!(down.contains("nothing"), "{down}");
    Ok(())
}

/// All that is no directory, in `directory` and below.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        if !directory.is_dir() {
            continue;
        }
        for entry in directory.read_dir()? {
            let path = entry?.path();
            let into = if path.is_dir() {
                &mut directories
            } else {
                &mut found
            };
            into.push(path);
        }
    }
    Ok(found)
}
