//! `cargo xtask bench sync`: how long it takes until a director that comes has all connections of its
//! peer, and what that costs both.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rlvs_control::Status;
use rlvs_engine::connection::{Meta, State};
use rlvs_engine::destination::Destination;
use rlvs_engine::family::Endpoints;
use rlvs_engine::{Family, Tables, V4, table};
use rlvs_lab::{Director, Host, Lab, Segment, wait};
use rlvs_plane::{KernelTables, Plane, Store, bpffs};
use rlvs_wire::protocol::TCP;

const VIRTUAL: [u8; 4] = [192, 0, 2, 1];
const SERVERS: u32 = 20;
const NUMBERS: [u8; 2] = [5, 6];
const LIMIT: Duration = Duration::from_secs(600);

/// Measure how long a director takes to catch up with its peer, on this machine's kernel
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Connections that the peer has
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    connections: u32,
    /// Connections that are told in a second at most
    #[arg(long, value_name = "N", default_value_t = 200_000)]
    rate: u32,
}

pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let Arguments { connections, rate } = *arguments;
    let lab = Lab::new()?;
    let secret = secret(&lab)?;
    let switch = Segment::new(&lab, "switch", 0)?;
    let side = |name, number| {
        let mut host = Host::new(&lab, name)?;
        host.join(&switch, number)?;
        Director::new(host)
    };
    let [mut one, mut two] = [side("one", NUMBERS[0])?, side("two", NUMBERS[1])?];
    let addresses = [&one, &two].map(|it| it.host.address().v4);
    let configuration = |own: usize| {
        format!(
            "connections = {connections}\nconnections_ipv6 = 1\n\
             [interfaces]\nnames = [\"eth9\"]\nloopback = false\n\
             [sync]\nlisten = \"{}:8849\"\npeers = [\"{}:8849\"]\nrate = {rate}\nsecret = \"{}\"\n",
            addresses[own],
            addresses[1 - own],
            secret.display()
        )
    };
    one.start_rlvs_with(&configuration(0))?;
    serve(&one)?;
    make(&one, connections)?;
    two.start_rlvs_with(&configuration(1))?;
    serve(&two)?;
    let begun = Instant::now();
    wait::until("it has caught up", LIMIT, || {
        let status = status(&two)?;
        let peers = status.synchronisation.context("no peers")?.peers;
        Ok(peers.iter().all(|it| it.caught_up))
    })?;
    let took = begun.elapsed().as_secs_f64();
    let active: u32 = status(&two)?
        .services
        .iter()
        .flat_map(|it| &it.destinations)
        .map(|it| it.active_connections)
        .sum();
    ensure!(active == connections, "it has {active} of {connections}");
    println!(
        "{connections} connections, {rate} a second at most: {took:.2} s, {:.0} a second",
        f64::from(connections) / took
    );
    for (name, director) in [
        ("the one that told", &mut one),
        ("the one that heard", &mut two),
    ] {
        let pid = director.daemon().context("no daemon")?.id();
        let (cpu, memory) = cost(pid)?;
        println!("{name}: {cpu:.2} s of a CPU since its start, {memory} MB at most");
    }
    Ok(())
}

fn secret(lab: &Lab) -> Result<PathBuf> {
    let path = lab.directory().join("secret");
    fs::write(&path, "0123456789abcdef0123456789abcdef")?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
    Ok(path)
}

fn serve(director: &Director) -> Result<()> {
    director.ipvsadm("--set 86400 0 0")?;
    director.ipvsadm("-A -t 192.0.2.1:80 -s rr")?;
    (1..=SERVERS).try_for_each(|number| {
        let line = format!("-a -t 192.0.2.1:80 -r 10.9.0.{number}:80 -m");
        director.ipvsadm(&line).map(drop)
    })
}

fn status(director: &Director) -> Result<Status> {
    Ok(serde_json::from_str(&director.rlvs("status --json")?)?)
}

/// Established connections, as packets would make them.
fn make(director: &Director, count: u32) -> Result<()> {
    let tables: KernelTables = Plane::pinned(&bpffs::directory(director.host.cookie()?)?)?;
    let records = tables.destinations().iter().zip(0..);
    let available = records.filter(|(record, _)| record.is(Destination::AVAILABLE));
    let servers: Vec<u32> = available.map(|(_, number)| number).collect();
    ensure!(servers.len() == SERVERS as usize);
    let now = tables.now();
    for number in 0..count {
        // Each client has a thousand ports.
        let [_, a, b, c] = (number / 1000).to_be_bytes();
        let key = V4::key(&Endpoints {
            client: [172, 16 + a, b, c],
            virtual_address: VIRTUAL,
            client_port: (10_000 + (number % 1000) as u16).to_be_bytes(),
            virtual_port: 80u16.to_be_bytes(),
            protocol: TCP,
        });
        let server = servers[number as usize % servers.len()];
        let meta = Meta::new(server, State::Established, 0);
        let made = table::learn::<V4, _>(&tables, &key, meta, now);
        ensure!(made.is_some(), "no room for connection {number}");
    }
    Ok(())
}

/// Seconds of a CPU, and MB of memory at most.
fn cost(pid: u32) -> Result<(f64, u64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("no name")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    let ticks = fields[11].parse::<u64>()? + fields[12].parse::<u64>()?;
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak = peak.and_then(|it| it.trim().strip_suffix(" kB"));
    let kib: u64 = peak.context("no VmHWM")?.parse()?;
    let each = rustix::param::clock_ticks_per_second();
    Ok((ticks as f64 / each as f64, kib / 1024))
}
