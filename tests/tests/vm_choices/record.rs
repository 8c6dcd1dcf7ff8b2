//! What a director did in one scenario, and how two of them differ.

use std::collections::BTreeMap;
use std::fmt::Write;

use rlvs_tests::place::server_mac;

use crate::scenario::{Packet, SERVERS, World};
use crate::side::Connection;

/// What the remaining times of a connection may differ by: they are whole seconds.
const SECOND: u32 = 1;

/// What one director did.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Frames that went on, by the number of the packet, see [`crate::frame::forwarded`].
    pub(crate) frames: BTreeMap<u32, Vec<u8>>,
    pub(crate) connections: Vec<Connection>,
    /// The same a moment later, of the kernel: the other's were read in between.
    pub(crate) later: Vec<Connection>,
    pub(crate) listing: String,
}

/// What differs, if anything does.
pub(crate) fn difference(
    world: &World,
    sent: &[Packet],
    [kernel, rlvs]: &[Record; 2],
    edited: bool,
) -> Option<String> {
    let mut text = String::new();
    for (number, packet) in sent.iter().enumerate() {
        let frames = [kernel, rlvs].map(|record| record.frames.get(&(number as u32)));
        if frames[0] != frames[1] {
            let [kernel, rlvs] = frames.map(|frame| frame.map(|frame| whither(frame)));
            let _ = writeln!(
                text,
                "packet {number}, {packet:?}: kernel {kernel:?}, rlvs {rlvs:?}"
            );
            break;
        }
    }
    if !text.is_empty() || !are_alike(kernel, rlvs, edited) {
        let _ = writeln!(text, "connections for {}:", world.vip());
        for (name, record) in [("kernel", kernel), ("rlvs", rlvs)] {
            for it in &record.connections {
                let Connection {
                    client,
                    destination,
                    state,
                    expires,
                    ..
                } = it;
                let _ = writeln!(
                    text,
                    "  {name} {client} -> {destination} {state} {expires} s"
                );
            }
        }
    }
    for (kernel, rlvs) in unlike_lines(&kernel.listing, &rlvs.listing) {
        let _ = writeln!(text, "kernel prints {kernel:?}\n  rlvs prints {rlvs:?}");
    }
    (!text.is_empty()).then_some(text)
}

fn unlike_lines<'t>(some: &'t str, others: &'t str) -> Vec<(&'t str, &'t str)> {
    let (mut some, mut others) = (some.lines(), others.lines());
    let pairs = std::iter::from_fn(|| match (some.next(), others.next()) {
        (None, None) => None,
        (one, other) => Some((one.unwrap_or("nothing"), other.unwrap_or("nothing"))),
    });
    pairs.filter(|(one, other)| one != other).collect()
}

/// The real server a frame is sent to, and what is in it.
fn whither(frame: &[u8]) -> String {
    let server = (0..SERVERS).find(|&server| frame.starts_with(&server_mac(server)));
    format!("server {server:?} {frame:02x?}")
}

/// Connections alike, with what is left of their time.
fn are_alike(kernel: &Record, rlvs: &Record, edited: bool) -> bool {
    let lengths = [&kernel.connections, &kernel.later, &rlvs.connections].map(Vec::len);
    lengths[0] == lengths[1]
        && lengths[0] == lengths[2]
        && (0..lengths[0]).all(|at| {
            let (one, other) = (&kernel.connections[at], &rlvs.connections[at]);
            let range = kernel.later[at].expires.saturating_sub(SECOND)..=one.expires + SECOND;
            // A template keeps the timeout it began with in the kernel, and in rlvs has that of
            // its service.
            let any_time = edited && one.client.port() == 0;
            let expires = other.expires;
            let same = Connection {
                expires,
                ..one.clone()
            };
            same == *other && (any_time || range.contains(&expires))
        })
}
