//! Addresses that packets are not taken for, as with keepalived's `no_accept`; but services there serve.

use anyhow::{Context, Result, ensure};
use rlvs_control::status::VrrpState;
use rlvs_lab::wait;

use crate::pair::{KEEPALIVED, Pair, Router, SOON};

const CLOSED: [&str; 2] = ["10.0.0.120", "fd00::120"];
const OPEN: &str = "10.0.0.121";
const TABLE: &str = "rlvs_vrrp";

/// An address of each family that is closed, and an open one.
fn file(priority: u8, words: &str) -> String {
    let instance = |name: &str, router: u8, address: &str, words: &str| {
        format!(
            "vrrp_instance {name} {{\ninterface eth0\nvirtual_router_id {router}\nversion 3\n\
             advert_int 0.5\npriority {priority}\n{words}\nvirtual_ipaddress {{\n{address}\n}}\n}}\n"
        )
    };
    instance("V4", 61, CLOSED[0], words)
        + &instance("V6", 62, CLOSED[1], words)
        + &instance("OPEN", 63, OPEN, "")
}

/// A service whose real server is the director itself.
fn with_service(file: &str) -> String {
    format!(
        "{file}virtual_server {} 8080 {{\nlvs_sched rr\nlvs_method NAT\nprotocol TCP\n\
         real_server 10.0.0.1 8080 {{\n}}\n}}\n",
        CLOSED[0]
    )
}

fn answers(pair: &Pair, address: &str) -> Result<bool> {
    let words = ["-n", "-c", "1", "-W", "2", address];
    Ok(pair.client.try_run("ping", words)?.status.success())
}

/// Closed ones do not answer, though neighbours find them; the open one does.
fn check(pair: &Pair, router: usize) -> Result<()> {
    pair.wait_for(router, &[CLOSED[0], CLOSED[1], OPEN], "it is master")?;
    wait::until("the open address answers", SOON, || answers(pair, OPEN))?;
    for address in CLOSED {
        ensure!(!answers(pair, address)?, "{address} answers");
        let known = pair.client.run("ip", ["neighbour", "show", address])?;
        ensure!(known.contains("lladdr"), "{address}: {known}");
    }
    Ok(())
}

fn has_table(router: &Router) -> Result<bool> {
    let tables = router.director.host.run("nft", ["list", "tables"])?;
    Ok(tables.contains(TABLE))
}

#[test]
fn who_does_not_accept_serves_all_the_same() -> Result<()> {
    let mut pair = Pair::new()?;
    // What keepalived does is what is done here.
    pair.routers[1].start_keepalived(&file(100, "no_accept"))?;
    check(&pair, 1).context("keepalived")?;

    let text = with_service(&file(150, "no_accept"));
    let host = &pair.routers[0].director.host;
    let _servers = [8080, 8081]
        .map(|port: u16| {
            host.spawn(
                "server",
                "python3",
                ["-m", "http.server", &port.to_string()],
            )
        })
        .into_iter()
        .collect::<Result<Vec<_>>>()?;
    pair.routers[0].start_rlvs(KEEPALIVED, &text)?;
    check(&pair, 0)?;
    let get = |port: u16| {
        let url = format!("http://{}:{port}/", CLOSED[0]);
        let words = ["-sf", "-o", "/dev/null", "--connect-timeout", "3", &url];
        anyhow::Ok(pair.client.try_run("curl", words)?.status.success())
    };
    wait::until("the service serves", SOON, || get(8080))?;
    ensure!(!get(8081)?, "what is no service answers");
    // One more by hand, whose packets come to the kernel's rules as they are.
    let director = &pair.routers[0].director;
    let service = format!("-t {}:8081", CLOSED[0]);
    director.ipvsadm(&format!("-A {service}"))?;
    director.ipvsadm(&format!("-a {service} -r 10.0.0.1:8081 -g"))?;
    wait::until("that serves, too", SOON, || get(8081))?;

    // Somebody sweeps all rules away.
    director.host.run("nft", ["flush", "ruleset"])?;
    wait::until("it is closed again", SOON, || has_table(&pair.routers[0]))?;
    check(&pair, 0)?;

    // Who is killed leaves it closed, and so does the next.
    pair.routers[0].kill9()?;
    ensure!(has_table(&pair.routers[0])? && !answers(&pair, CLOSED[0])?);
    pair.routers[0].start_rlvs(KEEPALIVED, &text)?;
    check(&pair, 0)?;

    // A reload opens it.
    let open = with_service(&file(150, "accept"));
    std::fs::write(pair.routers[0].file(KEEPALIVED)?, open)?;
    let path = pair.routers[0].file(KEEPALIVED)?;
    pair.routers[0].rlvs(&format!("apply {}", path.display()))?;
    wait::until("it is open", SOON, || answers(&pair, CLOSED[0]))?;
    wait::until("nothing is closed", SOON, || {
        Ok(!has_table(&pair.routers[0])?)
    })?;

    // And what a dead one has left goes with the rest.
    std::fs::write(&path, &text)?;
    pair.routers[0].rlvs(&format!("apply {}", path.display()))?;
    wait::until("it is closed", SOON, || has_table(&pair.routers[0]))?;
    pair.routers[0].wait_for_state("V4", VrrpState::Master)?;
    pair.routers[0].kill9()?;
    pair.routers[0].rlvs("down")?;
    ensure!(!has_table(&pair.routers[0])?);
    Ok(())
}
