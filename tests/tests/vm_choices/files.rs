//! The kernel's files in /proc/net, and what `rlvs proc` prints: equal after the same commands and
//! packets, but for what no two directors have in common: the size of the table, the order of its
//! entries, times that the files were not read at, rates, and which CPU did what.

use std::thread::sleep;

use anyhow::{Context, Result, ensure};
use rlvs_control::Change;

use crate::compare::{Pair, STATISTICS};
use crate::record::Record;
use crate::scenario::{Edit, Kind, Method, Packet, Real, Virtual, World};

const RUN: u16 = 20_000;
/// How far apart the two may read a time.
const SECONDS: u32 = 2;
const ATTEMPTS: u32 = 10;

pub(crate) fn compare(pair: &mut Pair) -> Result<()> {
    // The kernel zeroes what its estimator has summed up: the last scenario's packets too, then.
    sleep(STATISTICS);
    pair.apply(&[Change::Zero { service: None }])?;
    for (ipv6, run) in [(false, RUN), (true, RUN + 1)] {
        let world = World { ipv6, run };
        let changes: Vec<_> = edits().iter().map(|edit| world.change(edit)).collect();
        pair.apply(&changes)?;
        let mut records = [Record::default(), Record::default()];
        pair.send(&world, &packets(), &mut Vec::new(), &mut records)?;
    }
    sleep(STATISTICS);
    same(pair, "ip_vs", services)?;
    for name in ["ip_vs_conn", "ip_vs_conn_sync"] {
        same_connections(pair, name)?;
    }
    same(pair, "ip_vs_stats", |text| {
        Ok(text.lines().take(5).map(str::to_owned).collect())
    })?;
    same(pair, "ip_vs_stats_percpu", |text| {
        let is_of_all = |line: &&str| line.contains("ytes") || line.starts_with("  ~");
        Ok(text.lines().filter(is_of_all).map(str::to_owned).collect())
    })?;
    println!("files of /proc/net: alike");
    Ok(())
}

/// Persistent, plain, and packet by packet, with each method; SCTP without packets, for a connection
/// that only begins lives three seconds.
fn edits() -> Vec<Edit> {
    let service = |service, persistence, one_packet| {
        Edit::BeginService(Virtual {
            service,
            scheduler: "rr",
            flags: 0,
            persistence,
            one_packet,
        })
    };
    let real = |service, server, method| {
        Edit::Add(Real {
            service,
            server,
            method,
            weight: 7 + u32::from(server),
            upper: 0,
            lower: 0,
        })
    };
    vec![
        service(0, Some((300, 24)), false),
        real(0, 0, Method::DirectRoute),
        real(0, 1, Method::DirectRoute),
        service(1, None, true),
        real(1, 2, Method::Tunnel),
        service(2, None, false),
        real(2, 3, Method::Masquerade),
        service(3, None, false),
        real(3, 4, Method::DirectRoute),
    ]
}

fn packets() -> Vec<Packet> {
    let packet = |service, port_from, kind| Packet::plain(service, port_from, kind);
    vec![
        packet(0, 1000, Kind::Syn),
        packet(0, 1000, Kind::Ack),
        packet(1, 1001, Kind::Datagram),
        packet(2, 1002, Kind::Syn),
        packet(2, 1003, Kind::Syn),
        packet(2, 1003, Kind::Ack),
    ]
}

type Lines = Vec<String>;

fn same(pair: &mut Pair, name: &str, comparable: fn(&str) -> Result<Lines>) -> Result<()> {
    let [kernel, rlvs] = both(pair, name)?;
    let equal = comparable(&kernel)? == comparable(&rlvs)?;
    ensure!(equal, "{name}, of the kernel:\n{kernel}of rlvs:\n{rlvs}");
    Ok(())
}

fn both(pair: &mut Pair, name: &str) -> Result<[String; 2]> {
    let [kernel, rlvs] = pair.sides();
    Ok([kernel.file(name)?, rlvs.file(name)?])
}

/// The services of these runs with their destinations, after the head.
fn services(text: &str) -> Result<Lines> {
    let mut lines = text.lines();
    let size = lines.next().context("an empty file")?;
    ensure!(size.starts_with("IP Virtual Server version 1.2.1 (size="));
    let head: Lines = lines.by_ref().take(2).map(str::to_owned).collect();
    let mut blocks: Lines = Vec::new();
    for line in lines {
        match blocks.last_mut().filter(|_| line.starts_with("  -> ")) {
            Some(block) => *block += &format!("\n{line}"),
            None => blocks.push(line.to_owned()),
        }
    }
    blocks.retain(|block| is_of_these_runs(block));
    blocks.sort();
    ensure!(blocks.len() == 8, "{text}");
    Ok(head.into_iter().chain(blocks).collect())
}

/// Connections end, where they have not yet, at about the same time. The kernel may leave one out
/// when another ends while the file is read.
fn same_connections(pair: &mut Pair, name: &str) -> Result<()> {
    let mut outcome = Ok(());
    for _ in 0..ATTEMPTS {
        let files = both(pair, name)?;
        outcome = compare_connections(name, &files);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}

fn compare_connections(name: &str, [kernel, rlvs]: &[String; 2]) -> Result<()> {
    let [ours, theirs] = [connections(rlvs)?, connections(kernel)?];
    ensure!(theirs.len() == 8, "{name}:\n{kernel}");
    let alike = theirs
        .iter()
        .zip(&ours)
        .all(|(a, b)| (&a.0, a.1.len()) == (&b.0, b.1.len()) && a.2.abs_diff(b.2) <= SECONDS);
    let equal = kernel.lines().next() == rlvs.lines().next() && ours.len() == theirs.len() && alike;
    ensure!(equal, "{name}, of the kernel:\n{kernel}of rlvs:\n{rlvs}");
    Ok(())
}

/// Each line without its time, all of it, and that time; in order.
fn connections(text: &str) -> Result<Vec<(String, String, u32)>> {
    let of_line = |line: &str| {
        let (beginning, time) = line.rsplit_once(' ').context("a line without time")?;
        // Only whether such a template was ever used by an established connection, see `compare`.
        let beginning = beginning.replace("ASSURED", "NONE   ");
        Ok((
            beginning.trim_end().to_owned(),
            line.to_owned(),
            time.parse()?,
        ))
    };
    let lines = text.lines().filter(|line| is_of_these_runs(line));
    let mut all: Vec<_> = lines.map(of_line).collect::<Result<_>>()?;
    all.sort();
    Ok(all)
}

fn is_of_these_runs(line: &str) -> bool {
    [(false, RUN), (true, RUN + 1)]
        .into_iter()
        .any(|(ipv6, run)| {
            let vip = World { ipv6, run }.vip();
            let written = match vip {
                std::net::IpAddr::V4(vip) => format!("{:08X}", vip.to_bits()),
                std::net::IpAddr::V6(_) => format!("fd99:0000:0000:0000:0000:0000:0000:{run:04x}"),
            };
            line.contains(&written)
        })
}
