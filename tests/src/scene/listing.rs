//! What `ipvsadm` lists, as numbers.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use anyhow::{Context, Result};
use rlvs_lab::Director;

/// A line of `ipvsadm -Lnc`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Connection {
    pub protocol: String,
    pub state: String,
    pub client: SocketAddr,
    pub virtual_address: SocketAddr,
    pub destination: String,
}

/// Of `ipvsadm -Ln --stats`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Numbers {
    pub connections: u64,
    pub packets: u64,
    pub bytes: u64,
}

/// All connections, templates too.
pub fn connections(director: &Director) -> Result<Vec<Connection>> {
    let text = director.ipvsadm("-Lnc")?;
    let lines = text.lines().skip(2);
    lines
        .map(|line| connection(line).with_context(|| line.to_owned()))
        .collect()
}

/// Active and inactive connections of each destination of a service, as `-t ADDRESS:PORT`.
pub fn counts(director: &Director, service: &str) -> Result<BTreeMap<String, (u32, u32)>> {
    let text = director.ipvsadm(&format!("-Ln {service}"))?;
    let rows = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.strip_prefix("  -> ")?.split_whitespace().collect();
        let [real, _, _, active, inactive] = words[..] else {
            return None;
        };
        Some((
            real.to_owned(),
            (active.parse().ok()?, inactive.parse().ok()?),
        ))
    });
    Ok(rows.collect())
}

/// Counters of a service, as `-t ADDRESS:PORT`, and of each of its destinations.
pub fn statistics(
    director: &Director,
    service: &str,
) -> Result<(Numbers, BTreeMap<String, Numbers>)> {
    let text = director.ipvsadm(&format!("-Ln --stats --exact {service}"))?;
    let mut rows = text.lines().filter_map(row);
    let (_, whole) = rows.next().with_context(|| text.clone())?;
    Ok((whole, rows.collect()))
}

/// `TCP  10.0.0.100:80   1 2 0 3 0` or `  -> 10.0.0.11:80   1 2 0 3 0`.
fn row(line: &str) -> Option<(String, Numbers)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [_, name, connections, packets, _, bytes, _] = words[..] else {
        return None;
    };
    let numbers = Numbers {
        connections: connections.parse().ok()?,
        packets: packets.parse().ok()?,
        bytes: bytes.parse().ok()?,
    };
    Some((name.to_owned(), numbers))
}

/// `TCP 01:59  FIN_WAIT    10.0.0.2:35612     10.0.0.100:80      10.0.0.11:80`.
fn connection(line: &str) -> Option<Connection> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [protocol, _, state, client, virtual_address, destination] = words[..] else {
        return None;
    };
    Some(Connection {
        protocol: protocol.to_owned(),
        state: state.to_owned(),
        client: client.parse().ok()?,
        virtual_address: virtual_address.parse().ok()?,
        destination: destination.to_owned(),
    })
}
