//! Addresses, routes and rules of the machine: put there, put back, watched, and taken away.

use std::fs;

use anyhow::{Context, Result, ensure};
use rlvs_control::status::VrrpState;
use rlvs_lab::wait;

use crate::pair::{KEEPALIVED, Pair, Router, SOON};

const VIP: &str = "10.0.0.160";

fn file() -> String {
    format!(
        "track_group near {{\ngroup {{\nVI\n}}\n}}\n\
         static_ipaddress {{\n10.5.0.1/24 dev other track_group near\n}}\n\
         static_routes {{\n198.51.100.0/24 via 10.5.0.2 dev other track_group near\n\
         203.0.113.0/24 via 10.0.0.10\n}}\n\
         static_rules {{\nfrom 203.0.113.0/24 table 77 priority 1235\n}}\n\
         vrrp_instance VI {{\ninterface eth0\nvirtual_router_id 85\nversion 3\nadvert_int 0.5\n\
         virtual_ipaddress {{\n{VIP}\n}}\n}}\n"
    )
}

/// Routes, rules and addresses that are there.
fn shown(router: &Router) -> Result<[bool; 4]> {
    let host = &router.director.host;
    let routes = host.run("ip", ["route"])?;
    let rules = host.run("ip", ["rule"])?;
    Ok([
        routes.contains("198.51.100.0/24 via 10.5.0.2"),
        routes.contains("203.0.113.0/24 via 10.0.0.10"),
        rules.contains("1235:"),
        router.has(&["10.5.0.1"])? == 1,
    ])
}

fn wait_for(router: &Router, expected: [bool; 4]) -> Result<()> {
    let mut last = None;
    wait::until(&format!("{expected:?} are there"), SOON, || {
        let now = shown(router)?;
        last = Some(now);
        Ok(now == expected)
    })
    .with_context(|| format!("{last:?}"))
}

fn add_other(router: &Router) -> Result<()> {
    let host = &router.director.host;
    let line = "ip link add other type veth peer name end && ip link set other up && ip link set \
                end up";
    host.shell(line).map(drop)
}

#[test]
fn what_is_the_machines_own_is_there_and_watched() -> Result<()> {
    let mut pair = Pair::new()?;
    add_other(&pair.routers[0])?;
    pair.routers[0].start_rlvs(KEEPALIVED, &file())?;
    let router = &pair.routers[0];
    let host = &router.director.host;
    wait_for(router, [true; 4])?;
    let before = router.wait_for_state("VI", VrrpState::Master)?;

    // Somebody takes them away, each alone: they are put back, and nobody minds.
    for line in [
        "ip route del 198.51.100.0/24",
        "ip route del 203.0.113.0/24",
        "ip rule del priority 1235",
        "ip address del 10.5.0.1/24 dev other",
    ] {
        host.shell(line)?;
        wait_for(router, [true; 4]).context(line)?;
    }
    let after = router.wait_for_state("VI", VrrpState::Master)?;
    ensure!(after.transitions == before.transitions, "{after:?}");

    // Where they belong is gone: who watches them cannot be master.
    host.shell("ip link del other")?;
    let fault = router.wait_for_state("VI", VrrpState::Fault)?;
    let why = fault.why.unwrap_or_default();
    ensure!(why.contains("of track_group near is down"), "{why}");
    add_other(router)?;
    router.wait_for_state("VI", VrrpState::Master)?;
    wait_for(router, [true; 4])?;

    // A reload takes away what the file has no more, and leaves the rest.
    let fewer = file()
        .replace("203.0.113.0/24 via 10.0.0.10\n", "")
        .replace("from 203.0.113.0/24 table 77 priority 1235\n", "");
    let path = router.file(KEEPALIVED)?;
    fs::write(&path, fewer)?;
    let plan = router.rlvs(&format!("plan {}", path.display()))?;
    let gone = "without route 203.0.113.0/24 via 10.0.0.10";
    ensure!(plan.contains(gone), "{plan}");
    router.rlvs(&format!("apply {}", path.display()))?;
    wait_for(router, [true, false, false, true])?;

    router.rlvs("stop --remove")?;
    ensure!(shown(router)? == [false; 4]);
    Ok(())
}
