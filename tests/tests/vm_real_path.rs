//! Checks by way of the virtual address, on interfaces that lie upon others, where a packet is seen at
//! both: on Debian's stock kernel, which has such interfaces, and programs of tc as filters only.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Host, RealServer, Vm, vm};
use rlvs_tests::real_path::{TUNNELS, service, wait_for};

#[test]
fn real_servers_in_a_vlan() -> Result<()> {
    if !vm::inside() {
        let limit = Duration::from_secs(800);
        return Vm::new().limit(limit).run_test("real_servers_in_a_vlan");
    }
    let mut lab = DirectRouting::new(2)?;
    let vips = lab.vips();
    let director = in_vlan(&lab.director.host, 5)?;
    lab.director.add_vips(&vips)?;
    let mut real = Vec::new();
    for (number, method) in [(0, "dr"), (1, "tun")] {
        let server = &lab.real_servers[number];
        real.push((in_vlan(&server.host, 11 + number as u8)?, method));
        server.up_tunnel(&vips, TUNNELS, &director.to_string())?;
    }
    let text = rlvs_lab::director::CONFIGURATION.to_owned() + &service(vips[0], &real);
    lab.director.start_rlvs_with(&text)?;
    wait_for(&lab, &[].into())?;
    let servers = &lab.real_servers;
    servers.iter().try_for_each(|server| server.down(&vips))?;
    let all = real.iter().map(|(address, _)| with_port(*address, 80));
    wait_for(&lab, &all.collect())?;
    let up = |server: &RealServer| server.up_tunnel(&vips, TUNNELS, &director.to_string());
    servers.iter().try_for_each(up)?;
    wait_for(&lab, &[].into())?;
    // Filters, which a daemon that is killed leaves until the next one comes, or `rlvs down`.
    ensure!(filters(&lab.director.host)? == 2);
    lab.director.kill9()?;
    ensure!(filters(&lab.director.host)? == 2);
    lab.director.start_rlvs_with(&text)?;
    wait_for(&lab, &[].into())?;
    ensure!(filters(&lab.director.host)? == 2);
    lab.director.kill9()?;
    lab.director.rlvs("down")?;
    ensure!(filters(&lab.director.host)? == 0);
    Ok(())
}

/// Gives a host an address in a VLAN.
fn in_vlan(host: &Host, number: u8) -> Result<IpAddr> {
    let address = format!("10.77.0.{number}");
    host.shell(&format!(
        "ip link add link eth0 name eth0.7 type vlan id 7 && ip link set eth0.7 up && \
         ip addr add {address}/24 dev eth0.7"
    ))?;
    Ok(address.parse()?)
}

/// Programs for checks on the VLAN's interface.
fn filters(host: &Host) -> Result<usize> {
    let shown =
        host.shell("tc filter show dev eth0.7 ingress; tc filter show dev eth0.7 egress")?;
    let filters = shown.lines().filter(|line| line.contains("rlvs_path_"));
    Ok(filters.count())
}
