//! Tunnels to a real server without tunnel devices (`rlvs realserver up --tunnel`), with an MTU of
//! 1500 everywhere: what a client sends is too large for them, until it is told. So are the fragments
//! of its large datagrams.

use std::fs;
use std::net::IpAddr;

use anyhow::{Context, Result, ensure};
use rlvs_lab::address::with_port;
use rlvs_lab::{DirectRouting, Get};
use rlvs_tests::tunnels::{Kind, Upload, add_services, answers, datagram, direct, dropped};

/// Bytes that each transfer has at least.
const MUCH: usize = 50_000_000;

#[test]
fn every_tunnel_carries_large_and_many_transfers() -> Result<()> {
    let lab = DirectRouting::ready(1)?;
    let directors = lab.director.host.address().both().map(|it| it.to_string());
    lab.real_servers[0].up_tunnel(&lab.vips(), "ipip,gre,gue", &directors.join(","))?;
    add_services(&lab)?;
    let upload = Upload::new(&lab, MUCH)?;
    for vip in lab.vips() {
        for outer6 in [false, true] {
            let real = lab.real_servers[0].host.address().both()[usize::from(outer6)];
            for kind in Kind::ALL {
                walk(&lab, &upload, vip, kind, real)
                    .with_context(|| format!("{vip} to {real} by {kind}"))?;
            }
        }
    }
    ensure!(dropped(&lab, "too-long")? > 0, "nothing was too large");
    ensure!(dropped(&lab, "encapsulation")? == 0);
    Ok(())
}

fn walk(lab: &DirectRouting, upload: &Upload, vip: IpAddr, kind: Kind, real: IpAddr) -> Result<()> {
    direct(lab, vip, kind, real)?;
    answers(lab, vip, lab.real_servers[0].name())?;
    datagram(lab, vip, &lab.real_servers[0].host)?;
    let requests = if kind == Kind::Ipip { 1000 } else { 20 };
    let url = format!("http://{}", with_port(vip, 80));
    let pages = Get::new(format!("{url}/who")).times(&lab.client, requests)?;
    ensure!(pages.len() == requests as usize);
    // With a checksum or not: the size is what matters, and that is the same.
    if matches!(kind, Kind::Ipip | Kind::GreSummed | Kind::GueSummed) {
        upload.send(lab, vip, &lab.real_servers[0].host)?;
        download(lab, &format!("{url}/big"))?;
    }
    Ok(())
}

/// The same file as often as it takes.
fn download(lab: &DirectRouting, url: &str) -> Result<()> {
    let original = fs::read(lab.lab.directory().join("big"))?;
    let file = lab.client.directory()?.join("copy");
    for _ in 0..MUCH.div_ceil(original.len()) {
        Get::new(url).to_file(&file).once(&lab.client)?;
        ensure!(fs::read(&file)? == original, "another file came");
    }
    Ok(())
}
