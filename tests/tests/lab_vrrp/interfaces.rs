//! Interfaces: those of addresses' own, those that bounce, and what is heard there of others.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::VrrpState;
use rlvs_lab::wait;

use crate::pair::{KEEPALIVED, Pair, SOON};

/// Longer than the cable is out.
const LONG: u32 = 120;

fn file(words: &str) -> String {
    format!(
        "global_defs {{\nlog_unknown_vrids\n}}\n\
         interface_up_down_delays {{\neth0 {LONG} 0\nother 1\n}}\n\
         vrrp_instance VI {{\ninterface eth0\nvirtual_router_id 86\nversion 3\nadvert_int 2\n\
         priority 100\npromote_secondaries\ngarp_extra_if 1\nuse_vmac_addr\n{words}\n\
         virtual_ipaddress {{\n10.0.0.180/24\n}}\n\
         virtual_ipaddress_excluded {{\n10.6.0.1/24 dev other\nfd06::1/64 dev other\n}}\n}}\n"
    )
}

/// Gratuitous ARPs for an address that come in at an interface, until there were three.
const LISTENER: &str = r#"
import socket, sys
s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806))
s.bind(("end", 0))
s.settimeout(600)
address, seen = socket.inet_aton("10.6.0.1"), 0
while seen < 3:
    frame = s.recv(2048)
    if frame[28:32] == address and frame[38:42] == address:
        seen += 1
        print(frame[22:28].hex(":"), flush=True)
"#;

#[test]
fn interfaces_are_made_watched_and_left_as_they_were() -> Result<()> {
    let mut pair = Pair::new()?;
    let host = &pair.routers[0].director.host;
    let line = "ip link add other type veth peer name end && ip link set other up && ip link set \
                end up";
    host.shell(line)?;
    host.sysctl(&[
        ("net.ipv4.conf.eth0.promote_secondaries", "0"),
        ("net.ipv4.conf.other.promote_secondaries", "0"),
    ])?;
    let mut listener = host.spawn("listener", "python3", ["-c", LISTENER])?;
    pair.routers[0].start_rlvs(KEEPALIVED, &file("track_interface {\nother weight -10\n}"))?;
    let router = &pair.routers[0];
    let host = &router.director.host;
    router.wait_for_state("VI", VrrpState::Backup)?;
    for (name, mac) in [
        ("vrrp.86.1@other", "00:00:5e:00:01:56"),
        ("vrrp6.86.2@other", "00:00:5e:00:02:56"),
    ] {
        wait::until(name, SOON, || {
            let links = host.run("ip", ["-o", "link"])?;
            let mut lines = links.lines();
            Ok(lines.any(|line| line.contains(name) && line.contains(mac)))
        })?;
    }
    let promotes = || {
        let name = "net.ipv4.conf.other.promote_secondaries";
        anyhow::Ok(host.run("sysctl", ["-n", name])?.trim() == "1")
    };
    wait::until("others are promoted", SOON, promotes)?;

    let master = |router: &crate::pair::Router| router.wait_for_state("VI", VrrpState::Master);
    wait::until("it is master", SOON * 4, || {
        let all = router.instances()?;
        Ok(all.iter().all(|it| it.state == VrrpState::Master))
    })
    .with_context(|| pair.logs())?;
    let before = master(router)?;
    let addresses = host.run("ip", ["-o", "address", "show"])?;
    for (name, address) in [
        ("vrrp.86.1", "10.6.0.1/24"),
        ("vrrp6.86.2", "fd06::1/64"),
        ("eth0", "10.0.0.180/24"),
    ] {
        let has = |line: &str| line.contains(name) && line.contains(address);
        ensure!(addresses.lines().any(has), "{addresses}");
    }
    // Neighbours are told again and again, whatever is told at the beginning.
    ensure!(listener.wait(SOON * 4)?.success(), "{}", listener.log());
    ensure!(listener.log().lines().all(|mac| mac == "00:00:5e:00:01:56"));

    // A cable that is out for a moment.
    pair.segment.set_plugged(host, false)?;
    wait::until("the carrier is gone", SOON, || {
        Ok(host
            .run("ip", ["link", "show", "eth0"])?
            .contains("NO-CARRIER"))
    })?;
    // What does not change is seen only while time goes by.
    std::thread::sleep(Duration::from_secs(3));
    let meanwhile = router.instances()?;
    pair.segment.set_plugged(host, true)?;
    ensure!(meanwhile[0].state == VrrpState::Master, "{meanwhile:?}");
    // Another, that stays out, counts after a second.
    host.shell("ip link set end down")?;
    wait::until("it has lost its weight", SOON, || {
        Ok(router.instances()?.iter().all(|it| it.priority == 90))
    })?;
    host.shell("ip link set end up")?;
    wait::until("it has its weight again", SOON, || {
        Ok(router.instances()?.iter().all(|it| it.priority == 100))
    })?;
    let after = master(router)?;
    ensure!(after.transitions == before.transitions, "{after:?}");

    // Another virtual router, which is keepalived's.
    let other = "vrrp_instance X {\ninterface eth0\nvirtual_router_id 99\nadvert_int 1\n\
                 virtual_ipaddress {\n10.0.0.181\n}\n}\n";
    pair.routers[1].start_keepalived(other)?;
    wait::until("it is told", SOON, || {
        let log = pair.routers[0].running.as_ref().map(rlvs_lab::Process::log);
        let log = log.unwrap_or_default();
        let mut lines = log.lines();
        Ok(lines.any(|line| line.contains("not known here") && line.contains("99")))
    })?;

    let router = &pair.routers[0];
    router.rlvs("stop --remove")?;
    let links = host_links(&pair)?;
    ensure!(!links.contains("vrrp"), "{links}");
    let name = "net.ipv4.conf.other.promote_secondaries";
    let left = router.director.host.run("sysctl", ["-n", name])?;
    ensure!(left.trim() == "0", "{left}");
    Ok(())
}

fn host_links(pair: &Pair) -> Result<String> {
    pair.routers[0].director.host.run("ip", ["-o", "link"])
}
