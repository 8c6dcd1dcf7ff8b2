//! VRRP on Debian's stock kernel: two directors in namespaces, of which one is killed. And what only that
//! kernel has: interfaces that share a MAC address, and VRFs.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rlvs_control::Status;
use rlvs_lab::{Get, Lab, TwoDirectors, Vm, command, vm, wait};

/// The emulated machine is slow.
const SOON: Duration = Duration::from_secs(240);
const INTERVAL: Duration = Duration::from_secs(2);
/// On an interface with the MAC address of the one below, and in a VRF.
const MORE: [&str; 2] = ["10.0.0.130", "10.8.0.131"];

#[test]
fn the_other_director_takes_over() -> Result<()> {
    if !vm::inside() {
        let machine = Vm::new().limit(Duration::from_secs(1500));
        return machine.run_test("the_other_director_takes_over");
    }
    let mut site = TwoDirectors::build(Lab::new()?, 1)?;
    join_vrfs(&site)?;
    for number in [0, 1] {
        let text = site.configuration(number, INTERVAL) + &more(number);
        site.directors[number].start_rlvs_with(&text)?;
    }
    wait_for(&site, 0, true)?;
    serves(&site)?;
    site.directors[0].kill9()?;
    wait_for(&site, 1, false)?;
    // What the dead one has left would be found as well.
    site.directors[0].rlvs("down")?;
    wait_for(&site, 1, true)?;
    serves(&site)?;
    let links = site.directors[0].host.run("ip", ["link"])?;
    ensure!(!links.contains("ipv0@"), "{links}");
    Ok(())
}

/// A second network of the directors, in a VRF of each.
fn join_vrfs(site: &TwoDirectors) -> Result<()> {
    let [one, two] = [0, 1].map(|number| site.directors[number].host.namespace());
    let line = format!("link add mgmt0 netns {one} type veth peer name mgmt0 netns {two}");
    command::finish(Command::new("ip").args(line.split(' ')), SOON)?.success()?;
    for (number, director) in site.directors.iter().enumerate() {
        director.host.shell(&format!(
            "set -e
             ip link add blue0 type vrf table 7
             ip link set blue0 up
             ip link set mgmt0 master blue0
             ip addr add 10.8.0.{}/24 dev mgmt0
             ip link set mgmt0 up",
            number + 1
        ))?;
    }
    Ok(())
}

fn more(number: usize) -> String {
    let (own, peer) = (number + 1, 2 - number);
    let priority = 150 - 50 * number;
    let [near, far] = MORE;
    format!(
        r#"
[[vrrp.instance]]
name = "ipvlan"
interface = "eth0"
version = 3
virtual_router_id = 61
priority = {priority}
advert_int = 2
ipvlan = {{ name = "ipv0", address = "10.0.0.2{own}/24" }}
virtual_ipaddress = [{{ address = "{near}/32" }}]

[[vrrp.instance]]
name = "vrf"
vrf = "blue0"
version = 3
virtual_router_id = 62
priority = {priority}
advert_int = 2
unicast_src_ip = "10.8.0.{own}"
unicast_peer = [{{ address = "10.8.0.{peer}" }}]
virtual_ipaddress = [{{ address = "{far}/32", interface = "mgmt0" }}]
"#
    )
}

/// One has all addresses, and the other none, if that one knows.
fn wait_for(site: &TwoDirectors, master: usize, alone: bool) -> Result<()> {
    let has_all = |number: usize, all: bool| {
        let host = &site.directors[number].host;
        let shown = host.run("ip", ["-o", "address", "show"])?;
        let has = |address: &&str| shown.contains(&format!(" {address}/"));
        let more = MORE.iter().filter(|it| has(it)).count();
        let count = site.addresses(number)? + more;
        anyhow::Ok(if all { count == 4 } else { count == 0 })
    };
    let name = site.directors[master].host.name();
    wait::until(&format!("{name} is master"), SOON, || {
        Ok(has_all(master, true)? && (!alone || has_all(1 - master, false)?))
    })
    .with_context(|| seen(site))
}

fn serves(site: &TwoDirectors) -> Result<()> {
    for vip in site.vips() {
        let url = match vip.is_ipv4() {
            true => format!("http://{vip}/who"),
            false => format!("http://[{vip}]/who"),
        };
        let get = Get::new(url);
        wait::until(&format!("{vip} serves"), SOON, || {
            Ok(get.once(&site.client).is_ok())
        })
        .with_context(|| seen(site))?;
    }
    Ok(())
}

/// What directors say, for an error.
fn seen(site: &TwoDirectors) -> String {
    let status = |number: usize| {
        let text = site.directors[number].rlvs("status --json").ok()?;
        let status = serde_json::from_str::<Status>(&text).ok()?;
        Some(format!("{:#?}", status.vrrp))
    };
    [0, 1]
        .map(|number| status(number).unwrap_or_default())
        .join("\n")
}
