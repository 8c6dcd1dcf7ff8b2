//! Rates: of the same burst of packets both directors' estimates rise and fall alike, tick by tick.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::compare::Pair;
use crate::record::Record;
use crate::scenario::{Edit, Kind, Packet, Real, Scenario, Step, Virtual, World};

const SERVICE: u8 = 1;
const PACKETS: u16 = 240;
/// As many as the queues on the way hold.
const AT_ONCE: usize = 40;
/// Estimates that are compared, one every two seconds.
const ESTIMATES: usize = 5;
/// Both are made in this time, whenever the burst came.
const WATCHED: Duration = Duration::from_millis(2000 * (ESTIMATES as u64 + 1));
const LOOK: Duration = Duration::from_millis(250);
/// A burst that a tick falls into is another one to each of them.
const ATTEMPTS: u32 = 10;

pub(crate) fn compare(pair: &mut Pair) -> Result<()> {
    let mut seen = [Vec::new(), Vec::new()];
    for turn in 0..ATTEMPTS {
        seen = burst(pair, turn % 2 == 1)?;
        if seen[0] == seen[1] {
            println!("rates: alike");
            return Ok(());
        }
    }
    let [kernel, rlvs] = seen.map(|listings| listings.concat());
    ensure!(false, "rates of the kernel:\n{kernel}and of rlvs:\n{rlvs}");
    Ok(())
}

/// What each lists after a burst, until it has been seen to change so often.
fn burst(pair: &mut Pair, ipv6: bool) -> Result<[Vec<String>; 2]> {
    let scenario = scenario(ipv6);
    let world = pair.next_world(ipv6);
    let mut records = [Record::default(), Record::default()];
    pair.steps(&world, &scenario, &mut Vec::new(), &mut records)?;
    let listing = format!("-Ln --rate -u {}", world.virtual_address(SERVICE));
    let mut seen = [Vec::<String>::new(), Vec::new()];
    let begun = Instant::now();
    while begun.elapsed() < WATCHED {
        for (side, seen) in pair.sides().into_iter().zip(&mut seen) {
            let now = side.listing(&listing)?;
            if seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        sleep(LOOK);
    }
    pair.clear(&world, &scenario)?;
    // The first may be from before the first tick.
    Ok(seen.map(|mut listings| {
        listings.retain(|listing| is_moving(listing, &world));
        listings.truncate(ESTIMATES);
        listings
    }))
}

/// Whether the service has a rate of connections.
fn is_moving(listing: &str, world: &World) -> bool {
    let service = format!("UDP  {}", world.virtual_address(SERVICE));
    let line = listing.lines().find(|line| line.starts_with(&service));
    let rate = line.and_then(|line| line[service.len()..].split_whitespace().next());
    rate.is_some_and(|rate| rate != "0")
}

/// A datagram from each of many ports, to two real servers.
fn scenario(ipv6: bool) -> Scenario {
    let mut edits = vec![Edit::BeginService(Virtual::plain(SERVICE, "wrr"))];
    edits.extend((0..2).map(|server| {
        Edit::Add(Real {
            weight: 1 + 2 * u32::from(server),
            ..Real::plain(SERVICE, server)
        })
    }));
    let packets = (0..PACKETS).map(|number| Packet::plain(SERVICE, 2000 + number, Kind::Datagram));
    let packets: Vec<_> = packets.collect();
    let sends = packets
        .chunks(AT_ONCE)
        .map(|some| Step::Send(some.to_vec()));
    Scenario {
        ipv6,
        settings: Vec::new(),
        steps: [Step::Edit(edits)].into_iter().chain(sends).collect(),
    }
}
