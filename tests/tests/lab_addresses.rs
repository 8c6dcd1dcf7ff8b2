//! Addresses of this machine from a file: put there, told to neighbours, kept, and taken away;
//! what was there before stays.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use rlvs_lab::{Get, Masquerading, wait};

const SOON: Duration = Duration::from_secs(60);
const ADDRESSES: [&str; 2] = ["10.0.0.150", "fd00::150"];
/// Whoever had them before.
const ANOTHER: &str = "02:00:00:00:00:99";

fn file(lab: &Masquerading) -> String {
    let [v4, v6] = ADDRESSES;
    let before = lab.vips()[0];
    let real = lab.real_servers[0].host.address().v4;
    format!(
        r#"connections = 65536
[interfaces]
names = ["eth0", "eth1"]

[[address]]
address = "{v4}/32"
label = "eth0:rlvs"

[[address]]
address = "{v6}/128"
interface = "eth0"

[[address]]
address = "{before}/32"
interface = "eth0"

[[address]]
address = "192.0.2.1/32"
interface = "eth7"

[[service]]
tcp = "{v4}:80"
method = "nat"
real = [{{ address = "{real}" }}]
"#
    )
}

fn has(lab: &Masquerading, address: &str) -> Result<bool> {
    let words = ["-o", "address", "show", "dev", "eth0"];
    let shown = lab.director.host.run("ip", words)?;
    Ok(shown.contains(&format!(" {address}/")))
}

fn wait_for(lab: &Masquerading, there: bool) -> Result<()> {
    ADDRESSES.iter().try_for_each(|address| {
        wait::until(&format!("{address}: {there}"), SOON, || {
            Ok(has(lab, address)? == there)
        })
    })
}

#[test]
fn they_come_and_go_with_the_file() -> Result<()> {
    let mut lab = Masquerading::new(1)?;
    let before = lab.vips()[0].to_string();
    for address in ADDRESSES {
        let line = format!("neighbour replace {address} lladdr {ANOTHER} dev eth0 nud stale");
        lab.client.run("ip", line.split_whitespace())?;
    }
    let text = file(&lab);
    lab.director.start_rlvs_with(&text)?;
    wait_for(&lab, true)?;
    let shown = lab
        .director
        .host
        .run("ip", ["-o", "address", "show", "label", "eth0:rlvs"])?;
    ensure!(shown.contains("10.0.0.150/32"), "{shown}");
    wait::until("neighbours are told", SOON, || {
        let known = lab.client.run("ip", ["neighbour", "show"])?;
        Ok(!known.contains(ANOTHER))
    })?;
    let url = format!("http://{}/who", ADDRESSES[0]);
    ensure!(Get::new(&url).once(&lab.client)?.trim() == "rs1");
    let status = lab.director.rlvs("status")?;
    for words in [
        "address 10.0.0.150/32 on eth0\n",
        "address fd00::150/128 on eth0\n",
        &format!("address {before}/32 on eth0, there before: it stays\n"),
        "address 192.0.2.1/32: there is no interface eth7",
    ] {
        ensure!(status.contains(words), "{words}: {status}");
    }

    // IPv6 addresses go with the link, and come back.
    let host = &lab.director.host;
    host.shell(
        "ip address del 10.0.0.150/32 dev eth0; ip link set eth0 down; ip link set eth0 up",
    )?;
    wait_for(&lab, true)?;

    // The next daemon knows whose they are.
    lab.director.kill9()?;
    lab.director.start_rlvs_with(&text)?;
    let path = lab.director.configuration_file()?;
    let (without, _) = text.split_once("[[address]]").unwrap_or_default();
    fs::write(&path, without)?;
    let plan = lab.director.rlvs(&format!("plan {}", path.display()))?;
    ensure!(plan.contains("- address 10.0.0.150/32"), "{plan}");
    ensure!(has(&lab, ADDRESSES[0])?, "a plan changes nothing");
    lab.director.rlvs(&format!("apply {}", path.display()))?;
    wait_for(&lab, false)?;
    ensure!(has(&lab, &before)?, "it was there before");

    // All that a director put there goes with the rest of it.
    fs::write(&path, &text)?;
    lab.director.rlvs(&format!("apply {}", path.display()))?;
    wait_for(&lab, true)?;
    lab.director.stop()?;
    ensure!(has(&lab, ADDRESSES[0])?, "forwarding goes on");
    lab.director.rlvs("down")?;
    wait_for(&lab, false)?;
    ensure!(has(&lab, &before)?, "it was there before");
    Ok(())
}
