//! Checks by way of the virtual address, to real servers by every method: they take out who lacks
//! the address or takes no tunnel, which a direct check does not see.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use aya::programs::{SchedClassifier, TcAttachType};
use rlvs_control::status::Attachment;
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Host};
use rlvs_tests::real_path::{self, OPTIONS, TUNNELS, site};
use rlvs_tests::scene::wait_attached;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// By number of their real server. The last is reached by NAT, where the check is a direct one.
const METHODS: [&str; 6] = [
    "dr",
    "tun",
    "gre:csum",
    "gue:6080",
    "gue:6080:remcsum",
    "nat",
];
/// Of the service whose checks are direct.
const DIRECT: u16 = 8080;

fn real(lab: &DirectRouting, number: usize, vip: IpAddr) -> IpAddr {
    lab.real_servers[number].host.address().like(vip)
}

/// HTTP and DNS by way of each virtual address, and a service with the same servers whose checks
/// are direct.
fn file(lab: &DirectRouting) -> String {
    let mut text = rlvs_lab::director::CONFIGURATION.to_owned();
    for vip in lab.vips() {
        let mut service = |kind: &str, port: u16, check: &str| {
            let servers = METHODS.iter().enumerate().map(|(number, method)| {
                let port = if *method == "nat" { port.min(80) } else { port };
                let address = with_port(real(lab, number, vip), port);
                format!("  {{ address = \"{address}\", method = \"{method}\" }},\n")
            });
            let servers: String = servers.collect();
            let address = with_port(vip, port);
            text += &format!(
                "\n[[service]]\n{kind} = \"{address}\"\nscheduler = \"rr\"\n\
                 check = {{ {check}, {OPTIONS} }}\nreal = [\n{servers}]\n"
            );
        };
        service("tcp", 80, "http = \"/who\", via = \"vip\"");
        service(
            "udp",
            53,
            "dns = { type = \"A\", name = \"who.lab\" }, via = \"vip\"",
        );
        service("tcp", DIRECT, "tcp = true, connect_port = 80");
    }
    text
}

/// Waits until these real servers are out of all services whose checks go by way of the virtual
/// address, and no server is of any other.
fn wait_for(lab: &DirectRouting, out: &[usize]) -> Result<()> {
    let mut wanted = BTreeSet::new();
    for vip in lab.vips() {
        for &number in out {
            let of = |port| with_port(real(lab, number, vip), port);
            wanted.extend([80, 53].map(of));
        }
    }
    real_path::wait_for(lab, &wanted)
}

#[test]
fn who_lacks_the_address_or_takes_no_tunnel_is_out() -> Result<()> {
    let mut lab = DirectRouting::new(METHODS.len() as u8)?;
    let vips = lab.vips();
    let directors = lab.director.host.address().both().map(|it| it.to_string());
    let directors = directors.join(",");
    let up = |lab: &DirectRouting, number: usize| match METHODS[number] {
        "dr" => lab.real_servers[number].up(&vips),
        "nat" => Ok(()),
        _ => lab.real_servers[number].up_tunnel(&vips, TUNNELS, &directors),
    };
    lab.director.add_vips(&vips)?;
    (0..METHODS.len()).try_for_each(|number| up(&lab, number))?;
    let text = file(&lab);
    lab.director.start_rlvs_with(&text)?;
    wait_for(&lab, &[])?;
    ensure!(site(&lab)?.checks == 2 * 3 * METHODS.len());

    // No virtual address on lo; nor an end of the tunnel, of one and of all others.
    for out in [&[0][..], &[1], &[2, 3, 4]] {
        let down = |number: &usize| lab.real_servers[*number].down(&vips);
        out.iter().try_for_each(down)?;
        wait_for(&lab, out)?;
        expect_reasons(&lab, out)?;
        if out != [0] {
            // The address alone does not help.
            let address = |number: &usize| lab.real_servers[*number].up(&vips);
            out.iter().try_for_each(address)?;
            thread::sleep(Duration::from_secs(1));
            wait_for(&lab, out)?;
            out.iter().try_for_each(down)?;
        }
        out.iter().try_for_each(|&number| up(&lab, number))?;
        wait_for(&lab, &[])?;
    }
    Ok(())
}

/// The reasons say which way was tried.
fn expect_reasons(lab: &DirectRouting, out: &[usize]) -> Result<()> {
    let failing = site(lab)?.failing;
    for &number in out {
        let by = match METHODS[number] {
            "dr" => "direct routing",
            _ => "tunnel",
        };
        for vip in lab.vips() {
            let target = with_port(real(lab, number, vip), 80);
            let through = format!("through {} by {by}: ", with_port(vip, 80));
            let said = failing.iter().any(|check| {
                let reason = check.reason.as_deref().unwrap_or_default();
                check.target.to_string() == target && reason.starts_with(&through)
            });
            ensure!(said, "{through} of {target}: {failing:?}");
        }
    }
    Ok(())
}

/// Requests of many segments, and a local address of full NAT that is the probes' own, with XDP in the
/// driver. The programs come and go with the checks.
#[test]
fn beside_xdp_with_large_requests() -> Result<()> {
    let mut lab = DirectRouting::new(2)?;
    let vips = [100, 101].map(|last| IpAddr::from([10, 0, 0, last]));
    let own = lab.director.host.address().v4;
    lab.director.add_vips(&vips)?;
    for server in &lab.real_servers {
        server.up_tunnel(&vips, TUNNELS, &own.to_string())?;
    }
    let [first, second] = [0, 1].map(|number| lab.real_servers[number].host.address().v4);
    let services = [
        [(first, "dr"), (second, "tun")],
        [(first, "gre:csum"), (second, "gue:6080:remcsum")],
    ];
    let mut text = "connections = 65536

[interfaces]
names = [\"eth0\"]
mode = \"native\"
"
    .to_owned();
    for (vip, real) in vips.iter().zip(services) {
        let real = real.map(|(address, method)| (address.into(), method));
        text += &real_path::service(*vip, &real);
    }
    text += &format!(
        "
[[service]]
tcp = \"{}\"
method = \"fullnat\"
local_addresses = [\"{own}\"]
check = {{ tcp = true, via = \"vip\", {OPTIONS} }}
real = [{{ address = \"{first}:80\" }}]
",
        with_port(vips[0], DIRECT),
    );
    lab.director.start_rlvs_with(&text)?;
    wait_attached(&lab.director, "eth0", &Attachment::Native)?;
    wait_for(&lab, &[])?;
    ensure!(programs(&lab.director.host, "eth0")? == 2);
    lab.director.kill9()?;
    lab.director.start_rlvs_with(&text)?;
    wait_for(&lab, &[])?;
    ensure!(programs(&lab.director.host, "eth0")? == 2);
    let file = lab.director.configuration_file()?;
    fs::write(&file, text.replace("via = \"vip\", ", ""))?;
    lab.director.rlvs(&format!("apply {}", file.display()))?;
    ensure!(programs(&lab.director.host, "eth0")? == 0);
    wait_for(&lab, &[])
}

/// How many programs for checks are on an interface: as links, or before Linux 6.6 as filters.
fn programs(host: &Host, interface: &str) -> Result<usize> {
    const NAME: &str = "rlvs_path_";
    let links = thread::scope(|scope| {
        let there = scope.spawn(|| {
            let namespace = File::open(host.namespace_file())?;
            move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
            let of = |place| match SchedClassifier::query_tcx(interface, place) {
                Ok((_, programs)) => programs,
                Err(_) => Vec::new(),
            };
            let all = [TcAttachType::Ingress, TcAttachType::Egress].map(of);
            let named = all
                .iter()
                .flatten()
                .filter_map(|program| program.name_as_str());
            anyhow::Ok(named.filter(|name| name.starts_with(NAME)).count())
        });
        there.join().expect("it does not panic")
    })?;
    let filters = host.shell(&format!(
        "tc filter show dev {interface} ingress; tc filter show dev {interface} egress"
    ))?;
    let filters = filters.lines().filter(|line| line.contains(NAME));
    Ok(links + filters.count())
}
