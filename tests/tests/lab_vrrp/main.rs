//! VRRP: directors of rlvs with Debian's keepalived as the other router, by one and the same
//! keepalived.conf, and with each other.

mod closed;
mod interfaces;
mod kept;
mod pair;
mod signed;
mod statics;
mod told;

use std::fs;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::VrrpState;
use rlvs_lab::{Host, RealServer, wait};
use rlvs_tests::scene::Download;

use pair::{KEEPALIVED, Pair, Router, SOON};

/// Ways to speak: each an instance.
const WAYS: [(&str, &str, &str); 10] = [
    (
        "PASS",
        "10.0.0.101",
        "advert_int 1\nauthentication { auth_type PASS\nauth_pass sesame\n}",
    ),
    (
        "AH",
        "10.0.0.102",
        "advert_int 1\nauthentication { auth_type AH\nauth_pass sesame\n}",
    ),
    ("V3", "10.0.0.103", "version 3\nadvert_int 0.5"),
    ("V6", "fd00::104", "version 3\nadvert_int 0.5"),
    (
        "PEERS",
        "10.0.0.105",
        "version 3\nadvert_int 0.5\nunicast_peer {\n10.0.0.1\n10.0.0.2\n}",
    ),
    (
        "PEERS6",
        "fd00::106",
        "version 3\nadvert_int 0.5\nunicast_src_ip SELF6\nunicast_peer {\nPEER6\n}",
    ),
    ("PLAIN", "10.0.0.107", "advert_int 1"),
    (
        "VMAC",
        "10.0.0.108",
        "version 3\nadvert_int 0.5\nuse_vmac own",
    ),
    (
        "VMAC6",
        "fe80::109",
        "version 3\nadvert_int 0.5\nuse_vmac own6",
    ),
    (
        "STRICT",
        "10.0.0.110",
        "version 3\nadvert_int 0.5\nstrict_mode on",
    ),
];

/// All ways, for the router with this number.
fn all_ways(number: u8, priority: u8) -> String {
    let own = |text: &str| {
        let (own, peer) = (number, 3 - number);
        // One's own address is no peer.
        text.replace(&format!("10.0.0.{own}\n"), "")
            .replace("SELF6", &format!("fd00::{own}"))
            .replace("PEER6", &format!("fd00::{peer}"))
    };
    let instance = |(router, (name, address, words)): (usize, &(&str, &str, &str))| {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {}\npriority {priority}\n\
             garp_master_delay 1\n{}\nvirtual_ipaddress {{\n{address}\n}}\n}}\n",
            router + 51,
            own(words)
        )
    };
    let instances: String = WAYS.iter().enumerate().map(instance).collect();
    format!("global_defs {{\nrouter_id {number}\n}}\n{instances}")
}

#[test]
fn it_speaks_with_keepalived_in_both_roles() -> Result<()> {
    let mut pair = Pair::new()?;
    let addresses = WAYS.map(|(_, address, _)| address);
    pair.routers[1].start_keepalived(&all_ways(2, 100))?;
    pair.wait_for(1, &addresses, "nobody else is there")?;

    // A backup of higher priority takes over.
    pair.routers[0].start_rlvs(KEEPALIVED, &all_ways(1, 150))?;
    pair.wait_for(0, &addresses, "it has the higher priority")?;
    for it in pair.routers[0].instances()? {
        ensure!(
            it.state == VrrpState::Master && it.refused.is_empty(),
            "{it:?}"
        );
    }
    // A planned hand-over: the other stays master though its priority is lower.
    let said = pair.routers[0]
        .rlvs("handover")
        .with_context(|| pair.logs())?;
    ensure!(said.lines().count() == WAYS.len(), "{said}");
    pair.wait_for(1, &addresses, "it was handed over")?;
    ensure!(pair.routers[0].rlvs("status")?.contains("handed over"));

    // keepalived says good-bye; then it is back with a higher priority.
    pair.routers[1].stop()?;
    pair.wait_for(0, &addresses, "keepalived has gone")?;
    pair.routers[1].start_keepalived(&all_ways(2, 200))?;
    pair.wait_for(1, &addresses, "keepalived has the higher priority")?;
    for it in pair.routers[0].instances()? {
        ensure!(
            it.state == VrrpState::Backup && it.refused.is_empty(),
            "{it:?}"
        );
        ensure!(it.master_priority == Some(200), "{it:?}");
    }
    // It dies without a word.
    pair.routers[1].kill9()?;
    let host = &pair.routers[1].director.host;
    host.shell(&format!(
        "kill -9 $(cat {}/vrrp.pid) || true",
        host.directory()?.display()
    ))?;
    host.shell("ip address flush dev eth0; ip link del own; ip link del own6")?;
    pair.wait_for(0, &addresses, "keepalived is dead")?;
    // Who ends for good hands over, and leaves nothing.
    pair.routers[0].rlvs("stop --remove")?;
    ensure!(pair.routers[0].has(&addresses)? == 0);
    let host = &pair.routers[0].director.host;
    let links = host.run("ip", ["link"])?;
    ensure!(
        !links.contains("own@") && !links.contains("own6@"),
        "{links}"
    );
    ensure!(!host.run("nft", ["list", "tables"])?.contains("rlvs_vrrp"));
    let ignored = host.run("sysctl", ["-n", "net.ipv4.conf.eth0.arp_ignore"])?;
    ensure!(ignored.trim() == "0", "{ignored}");
    Ok(())
}

/// Two instances that go together, of IPv4 and IPv6.
fn group(router: &Router, priority: u8) -> Result<String> {
    let directory = router.directory()?;
    let instance = |name: &str, number: u8, address: &str| {
        format!(
            "vrrp_instance {name} {{\nstate BACKUP\ninterface eth0\nvirtual_router_id {number}\n\
             version 3\nadvert_int 0.5\npriority {priority}\nnopreempt\ngarp_master_delay 0\n\
             notify {directory}/notify.sh\nvirtual_ipaddress {{\n{address}\n}}\n}}\n"
        )
    };
    Ok(format!(
        "global_defs {{\nlvs_sync_daemon eth0 V4 id 7\n}}\n\
         vrrp_script well {{\nscript \"/usr/bin/test -e {directory}/well\"\ninterval 0.1\ntimeout 20\n}}\n\
         vrrp_sync_group G {{\ngroup {{\nV4\nV6\n}}\ntrack_script {{\nwell\n}}\n\
         notify {directory}/notify.sh\n}}\n{}{}",
        instance("V4", 61, TOGETHER[0]),
        instance("V6", 62, TOGETHER[1])
    ))
}

const TOGETHER: [&str; 2] = ["10.0.0.111", "fd00::111"];

impl Router {
    fn directory(&self) -> Result<String> {
        Ok(self.director.host.directory()?.display().to_string())
    }

    /// What a group's file names.
    fn prepare(&self) -> Result<()> {
        let directory = self.directory()?;
        let line = format!(
            "touch {directory}/well; printf '#!/bin/sh\\necho \"$@\" >> {directory}/told\\n' > \
             {directory}/notify.sh; chmod 755 {directory}/notify.sh"
        );
        self.director.host.shell(&line).map(drop)
    }

    fn set_well(&self, well: bool) -> Result<()> {
        let directory = self.directory()?;
        let verb = if well { "touch" } else { "rm" };
        let line = format!("{verb} {directory}/well");
        self.director.host.shell(&line).map(drop)
    }

    /// How connections are synchronised.
    fn wait_for_daemon(&self, role: &str) -> Result<()> {
        let line = format!("{role} sync daemon (mcast=eth0, syncid=7");
        wait::until(&line, SOON, || {
            let shown = self.director.ipvsadm("-L --daemon")?;
            Ok(shown.starts_with(&line) && shown.matches("sync daemon").count() == 1)
        })
    }

    /// Notifiers run beside all else.
    fn wait_told(&self, line: &str) -> Result<()> {
        let file = self.file("told")?;
        wait::until(&format!("told: {line}"), SOON, || {
            let told = fs::read_to_string(&file).unwrap_or_default();
            Ok(told.lines().any(|it| it == line))
        })
    }
}

#[test]
fn a_group_goes_together_and_a_daemon_goes_on_where_another_was() -> Result<()> {
    let mut pair = Pair::new()?;
    let texts = [group(&pair.routers[0], 150)?, group(&pair.routers[1], 100)?];
    pair.routers.iter().try_for_each(Router::prepare)?;
    pair.routers[1].start_rlvs(KEEPALIVED, &texts[1])?;
    pair.wait_for(1, &TOGETHER, "nobody else is there")?;
    pair.routers[1].wait_told("INSTANCE V4 MASTER 100")?;
    pair.routers[1].wait_told("GROUP G MASTER 0")?;
    pair.routers[1].wait_for_daemon("master")?;

    // A higher priority does not take over, where that is not wanted.
    pair.routers[0].start_rlvs(KEEPALIVED, &texts[0])?;
    for name in ["V4", "V6"] {
        let it = pair.routers[0].wait_for_state(name, VrrpState::Backup)?;
        ensure!(
            it.priority == 150 && it.group.as_deref() == Some("G"),
            "{it:?}"
        );
    }
    ensure!(pair.routers[1].has(&TOGETHER)? == 2);

    // The cable is out: it is in fault, and takes nothing back when it is in again.
    let two = pair.routers[1].director.host.name().to_owned();
    pair.segment
        .set_plugged(&pair.routers[1].director.host, false)?;
    pair.routers[1].wait_for_state("V6", VrrpState::Fault)?;
    pair.wait_for(0, &TOGETHER, "the cable is out")?;
    pair.segment
        .set_plugged(&pair.routers[1].director.host, true)?;
    pair.routers[1].wait_for_state("V6", VrrpState::Backup)?;
    ensure!(pair.routers[0].has(&TOGETHER)? == 2, "{two}");

    pair.routers[0].wait_for_daemon("master")?;
    pair.routers[1].wait_for_daemon("backup")?;

    // What it tracks fails.
    pair.routers[0].set_well(false)?;
    let fault = pair.routers[0].wait_for_state("V4", VrrpState::Fault)?;
    ensure!(
        fault.why.as_deref() == Some("script well is down"),
        "{fault:?}"
    );
    pair.wait_for(1, &TOGETHER, "the script fails")?;
    pair.routers[0].wait_told("GROUP G FAULT 0")?;
    pair.routers[0].set_well(true)?;
    pair.routers[0].wait_for_state("V4", VrrpState::Backup)?;

    // A master whose daemon is killed keeps its addresses; another takes over, and after the next
    // daemon's start there is one again.
    pair.routers[1].kill9()?;
    wait::until("the other takes over", SOON, || {
        Ok(pair.routers[0].has(&TOGETHER)? == 2)
    })?;
    ensure!(
        pair.routers[1].has(&TOGETHER)? == 2,
        "nobody takes them away"
    );
    pair.routers[1].start_rlvs(KEEPALIVED, &texts[1])?;
    pair.wait_for(0, &TOGETHER, "it has the higher priority")?;

    // A reload changes what has changed, and a master stays so.
    let before = pair.routers[0].wait_for_state("V4", VrrpState::Master)?;
    let changed = texts[0]
        .replace(TOGETHER[0], "10.0.0.112")
        .replace("150", "140");
    let file = pair.routers[0].file(KEEPALIVED)?;
    fs::write(&file, &changed)?;
    let plan = pair.routers[0].rlvs(&format!("plan {}", file.display()))?;
    ensure!(
        plan.contains("priority 150 → 140; without 10.0.0.111/32"),
        "{plan}"
    );
    ensure!(
        pair.routers[0].has(&TOGETHER)? == 2,
        "a plan changes nothing"
    );
    pair.routers[0].rlvs(&format!("apply {}", file.display()))?;
    wait::until("the address is another", SOON, || {
        Ok(pair.routers[0].has(&["10.0.0.112", TOGETHER[1]])? == 2
            && pair.routers[0].has(&TOGETHER[..1])? == 0)
    })?;
    let after = pair.routers[0].wait_for_state("V4", VrrpState::Master)?;
    ensure!(after.transitions == before.transitions, "{after:?}");

    // What a killed daemon has left goes with the rest of it.
    pair.routers[0].kill9()?;
    pair.routers[0].rlvs("down")?;
    ensure!(pair.routers[0].has(&["10.0.0.112", TOGETHER[1]])? == 0);
    Ok(())
}

/// A service by direct routing, whose director changes while it serves.
fn service(priority: u8) -> String {
    format!(
        "connections = 65536\nsysctl = {{ sloppy_tcp = \"1\" }}\n\n\
         [[service]]\ntcp = \"{VIP}:80\"\nscheduler = \"mh\"\n\
         real = [{{ address = \"10.0.0.20:80\" }}]\n\n\
         [[vrrp.instance]]\nname = \"VIP\"\ninterface = \"eth0\"\nvirtual_router_id = 71\n\
         version = 3\nadvert_int = 0.5\npriority = {priority}\n\
         vmac = {{ adverts = true }}\n\
         virtual_ipaddress = [{{ address = \"{VIP}/32\" }}]\n\
         track = {{ service = [{{ name = \"TCP {VIP}:80\" }}] }}\n"
    )
}

const VIP: &str = "10.0.0.120";
/// More than buffers hold.
const PART: u64 = 512 << 10;

#[test]
fn a_download_goes_on_when_its_director_changes() -> Result<()> {
    let mut pair = Pair::new()?;
    let mut host = Host::new(&pair.lab, "real")?;
    host.join(&pair.segment, 20)?;
    let real = RealServer::start(host)?;
    real.up(&[VIP.parse()?])?;
    pair.routers[1].start_rlvs("rlvs.toml", &service(100))?;
    pair.routers[0].start_rlvs("rlvs.toml", &service(150))?;
    pair.wait_for(0, &[VIP], "it has the higher priority")?;

    // What is on its way is little: each part comes by the director of that time.
    pair.client
        .sysctl(&[("net.ipv4.tcp_rmem", "4096 65536 65536")])?;
    let mut download = Download::start(&pair.client, &format!("{VIP}:80"), 40_000)?;
    let said = pair.routers[0]
        .rlvs("handover VIP")
        .with_context(|| pair.logs())?;
    ensure!(said == "VIP: 10.0.0.2 is master\n", "{said}");
    pair.wait_for(1, &[VIP], "it was handed over")?;
    let received = download.received();
    download.wait_for(received + PART)?;
    // The cable of the other is cut: nothing is said.
    pair.segment
        .set_plugged(&pair.routers[1].director.host, false)?;
    wait::until("it takes over again", SOON, || {
        Ok(pair.routers[0].has(&[VIP])? == 1)
    })?;
    download.finish()?;
    // Nobody has to learn another MAC address.
    let known = pair.client.run("ip", ["neighbour", "show", VIP])?;
    ensure!(known.contains("00:00:5e:00:01:47"), "{known}");
    Ok(())
}

/// Who owns the address, or its backup.
fn owned(priority: u8) -> String {
    let state = if priority == 255 { "MASTER" } else { "BACKUP" };
    format!(
        "vrrp_instance VI {{\nstate {state}\ninterface eth0\nvirtual_router_id 81\n\
         priority {priority}\nadvert_int 3\n\
         authentication {{\nauth_type PASS\nauth_pass sesame\n}}\n\
         virtual_ipaddress {{\n10.0.0.130/32\n}}\nvirtual_routes {{\n198.51.100.0/24 via 10.0.0.10\n}}\n\
         virtual_rules {{\nfrom 198.51.100.0/24 table 77 priority 1234\n}}\n}}\n"
    )
}

/// Advertisements of somebody who does not know the password, and what is none at all.
const FLOOD: &str = r#"
import os, socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 112)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("10.0.0.10"))
def summed(b):
    t = sum(struct.unpack("!%dH" % (len(b) // 2), b))
    t = (t & 0xffff) + (t >> 16)
    t = (t & 0xffff) + (t >> 16)
    return b[:6] + struct.pack("!H", ~t & 0xffff) + b[8:]
vip = socket.inet_aton("10.0.0.130")
wrong = summed(struct.pack("!BBBBBBH", 0x21, 81, 255, 1, 1, 3, 0) + vip + b"guessed!")
bye = summed(struct.pack("!BBBBBBH", 0x21, 81, 0, 1, 1, 3, 0) + vip + b"guessed!")
end, sent = time.monotonic() + 11, 0
while time.monotonic() < end:
    for packet in (wrong, bye, b"\x21\x51" + os.urandom(sent % 1400)):
        try:
            s.sendto(packet, ("224.0.0.18", 0))
            sent += 1
        except OSError as error:
            # Nothing but want of room.
            if error.errno != 105:
                raise
print(sent)
"#;

#[test]
fn neither_a_flood_nor_a_restart_is_noticed() -> Result<()> {
    let mut pair = Pair::new()?;
    pair.routers[1].start_rlvs(KEEPALIVED, &owned(100))?;
    pair.routers[0].start_rlvs(KEEPALIVED, &owned(255))?;
    pair.wait_for(0, &["10.0.0.130"], "it is its owner")?;
    let placed = |router: &Router| {
        let host = &router.director.host;
        let (routes, rules) = (host.run("ip", ["route"])?, host.run("ip", ["rule"])?);
        let has = routes.contains("198.51.100.0/24 via 10.0.0.10") && rules.contains("1234:");
        anyhow::Ok(has)
    };
    wait::until("routes and rules are there", SOON, || {
        placed(&pair.routers[0])
    })?;
    let before = pair.routers[1].wait_for_state("VI", VrrpState::Backup)?;

    // More than any router sends, for longer than a backup waits.
    let sent = pair.client.run("python3", ["-c", FLOOD])?;
    ensure!(sent.trim().parse::<u64>()? > 1000, "{sent}");
    let master = pair.routers[0].wait_for_state("VI", VrrpState::Master)?;
    ensure!(master.refused.contains_key("password"), "{master:?}");
    ensure!(
        master.transitions == 2 && master.problems.is_empty(),
        "{master:?}"
    );

    let words = ["-n", "-i", "0.1", "-c", "60", "-W", "2", "10.0.0.130"];
    let mut ping = pair.client.spawn("ping", "ping", words)?;
    pair.routers[0].kill9()?;
    pair.routers[0].start_rlvs(KEEPALIVED, &owned(255))?;
    let resumed = pair.routers[0].wait_for_state("VI", VrrpState::Master)?;
    ensure!(
        resumed.why.as_deref() == Some("it goes on where it was"),
        "{resumed:?}"
    );
    let status = ping.wait(SOON)?;
    ensure!(
        status.success() && ping.log().contains(" 0% packet loss"),
        "{}",
        ping.log()
    );

    let after = pair.routers[1].wait_for_state("VI", VrrpState::Backup)?;
    ensure!(after.transitions == before.transitions, "{after:?}");
    ensure!(after.master == Some("10.0.0.1".parse()?), "{after:?}");

    // At its end there is nothing left.
    pair.routers[0].rlvs("stop --remove")?;
    ensure!(!placed(&pair.routers[0])?);
    pair.wait_for(1, &["10.0.0.130"], "the owner has gone")?;
    ensure!(placed(&pair.routers[1])?);
    Ok(())
}

#[test]
fn what_is_tracked_counts() -> Result<()> {
    let mut pair = Pair::new()?;
    let number = pair.routers[0].file("number")?.display().to_string();
    let text = format!(
        "connections = 65536\n\n[[service]]\ntcp = \"10.0.0.140:80\"\n\
         check = {{ tcp = true, delay_loop = 1, delay_before_retry = 1, connect_timeout = 1 }}\n\
         real = [{{ address = \"10.0.0.10:81\", method = \"nat\" }}]\n\n\
         [[vrrp.track_file]]\nname = \"number\"\nfile = \"{number}\"\ninit = 0\n\n\
         [[vrrp.track_process]]\nname = \"sleeper\"\nprocess = [\"sleep\", \"{SLEEP}\"]\nweight = 10\n\n\
         [[vrrp.instance]]\nname = \"VI\"\ninterface = \"eth0\"\nvirtual_router_id = 91\n\
         version = 3\nadvert_int = 0.5\n\
         virtual_ipaddress = [{{ address = \"10.0.0.140/32\" }}]\n\
         [vrrp.instance.track]\nfile = [{{ name = \"number\" }}]\n\
         process = [{{ name = \"sleeper\" }}]\n\
         interface = [{{ name = \"other\", weight = 5 }}]\n\
         service = [{{ name = \"TCP 10.0.0.140:80\", weight = -20 }}]\n"
    );
    pair.routers[0].start_rlvs("rlvs.toml", &text)?;
    let router = &pair.routers[0];
    let host = &router.director.host;
    let wait_for = |priority: u8, why: &str| {
        wait::until(&format!("{why}: {priority}"), SOON, || {
            let all = router.instances()?;
            Ok(all.iter().all(|it| it.priority == priority))
        })
        .with_context(|| router.rlvs("status").unwrap_or_default())
    };
    wait_for(80, "the service has lost its quorum")?;
    host.shell(&format!("echo 7 > {number}"))?;
    wait_for(87, "the file has a number")?;
    let mut sleeper = host.spawn("sleep", "sleep", [SLEEP])?;
    wait_for(97, "the process is there")?;
    host.shell(
        "ip link add other type veth peer name end; ip link set other up; ip link set end up",
    )?;
    wait_for(102, "the interface is up")?;
    let _server = pair
        .client
        .spawn("server", "python3", ["-m", "http.server", "81"])?;
    wait_for(122, "the service has its quorum")?;
    sleeper.kill9()?;
    wait_for(112, "the process has gone")?;
    // It has taken over though its service did not serve: checks had said so.
    pair.routers[0].wait_for_state("VI", VrrpState::Master)?;
    Ok(())
}

/// Seconds that no other process sleeps.
const SLEEP: &str = "47110815";
