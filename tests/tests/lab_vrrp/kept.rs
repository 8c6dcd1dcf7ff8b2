//! What others have set stays theirs, whatever comes and goes; and what goes with an interface comes
//! again with it.

use anyhow::{Context, Result, ensure};
use rlvs_control::status::VrrpState;
use rlvs_lab::wait;

use crate::pair::{KEEPALIVED, Pair, Router, SOON};

/// Routes of the machine itself: the same as in the file, and another one to where the file has one.
const OWN: [&str; 2] = [
    "198.51.100.0/24 via 10.0.0.10",
    "203.0.113.0/24 via 10.0.0.12",
];

const FILE: &str = "vrrp_instance VI {\ninterface eth0\nvirtual_router_id 88\nversion 3\n\
    advert_int 0.5\nvirtual_ipaddress {\n10.7.0.1 peer 10.7.0.2/32\n10.7.1.1/24\n}\n\
    virtual_routes {\n198.51.100.0/24 via 10.0.0.10\n203.0.113.0/24 via 10.0.0.11\n\
    192.0.2.0/24 via 10.0.0.10\n}\n}\n";

fn routes(router: &Router) -> Result<Vec<bool>> {
    let shown = router.director.host.run("ip", ["route"])?;
    let all = OWN.iter().chain(&["192.0.2.0/24 via 10.0.0.10"]);
    Ok(all.map(|route| shown.contains(route)).collect())
}

/// With and without another end.
fn addresses(router: &Router) -> Result<[bool; 2]> {
    let shown = router.director.host.run("ip", ["-o", "address", "show"])?;
    Ok(["10.7.0.1 peer 10.7.0.2/32", "10.7.1.1/24"].map(|it| shown.contains(it)))
}

#[test]
fn routes_of_others_stay() -> Result<()> {
    let mut pair = Pair::new()?;
    for route in OWN {
        let host = &pair.routers[0].director.host;
        host.shell(&format!("ip route add {route}"))?;
    }
    pair.routers[0].start_rlvs(KEEPALIVED, FILE)?;
    let router = &pair.routers[0];
    wait::until("all is there", SOON, || {
        Ok(addresses(router)? == [true; 2] && routes(router)? == [true; 3])
    })?;
    let said = |text: &str| {
        let is_told = || {
            let all = router.instances()?;
            Ok(all
                .iter()
                .flat_map(|it| &it.problems)
                .any(|it| it.contains(text)))
        };
        wait::until(text, SOON, is_told).with_context(|| format!("{:?}", router.instances()))
    };
    said("203.0.113.0/24 via 10.0.0.11: another route to there is set")?;

    // As a backup it has none of it, but what is of others.
    router.director.host.shell("ip link set eth0 down")?;
    router.wait_for_state("VI", VrrpState::Fault)?;
    wait::until("its addresses are gone", SOON, || {
        Ok(addresses(router)? == [false; 2])
    })?;
    router.director.host.shell("ip link set eth0 up")?;
    for route in OWN {
        router
            .director
            .host
            .shell(&format!("ip route add {route}"))?;
    }
    router.wait_for_state("VI", VrrpState::Master)?;
    wait::until("all is there again", SOON, || {
        Ok(addresses(router)? == [true; 2] && routes(router)? == [true; 3])
    })?;

    router.rlvs("stop --remove")?;
    ensure!(addresses(router)? == [false; 2]);
    let routes = routes(router)?;
    ensure!(routes == [true, true, false], "{routes:?}");
    Ok(())
}

#[test]
fn an_interface_that_comes_later_or_again_has_its_virtual_mac() -> Result<()> {
    const VIP: &str = "10.6.0.100";
    let mut pair = Pair::new()?;
    let file = format!(
        "interface_up_down_delays {{\nother 60 0\n}}\n\
         vrrp_instance VI {{\ninterface other\nvirtual_router_id 89\nversion 3\nadvert_int 0.5\n\
         use_vmac own\nvirtual_ipaddress {{\n{VIP}/24\n}}\n}}\n"
    );
    pair.routers[0].start_rlvs(KEEPALIVED, &file)?;
    let router = &pair.routers[0];
    router.wait_for_state("VI", VrrpState::Fault)?;
    for turn in ["first", "again"] {
        let host = &router.director.host;
        host.shell(
            "ip link add other type veth peer name end && ip link set end up && \
             ip address add 10.6.0.1/24 dev other && ip link set other up",
        )?;
        router
            .wait_for_state("VI", VrrpState::Master)
            .context(turn)?;
        wait::until("its address is on its own interface", SOON, || {
            let shown = host.run("ip", ["-o", "address", "show"])?;
            let mut lines = shown.lines();
            Ok(lines.any(|line| line.contains(" own ") && line.contains(VIP)))
        })
        .context(turn)?;
        let quiet = host.run("sysctl", ["-n", "net.ipv4.conf.other.arp_ignore"])?;
        ensure!(quiet.trim() == "1", "{turn}: {quiet}");
        // What goes while its delay runs is waited for no longer.
        host.shell("ip link set other down")?;
        host.shell("ip link del other")?;
        router
            .wait_for_state("VI", VrrpState::Fault)
            .context(turn)?;
    }
    // Another configuration is heard all the same.
    let path = router.file(KEEPALIVED)?;
    std::fs::write(&path, file.replace("VI {", "VJ {"))?;
    router.rlvs(&format!("apply {}", path.display()))?;
    router.wait_for_state("VJ", VrrpState::Fault)?;
    Ok(())
}
