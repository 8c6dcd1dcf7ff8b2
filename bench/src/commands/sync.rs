//! Connections that the kernel takes over from another director: messages of IPVS's synchronisation,
//! version 1 (net/netfilter/ipvs/ip_vs_sync.c), to a backup daemon. That is as many in a second as
//! the kernel can make of them.

use std::fs::{self, File};
use std::net::{Ipv4Addr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rlvs_lab::Host;
use rlvs_wire::protocol::UDP;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::connections::Client;
use super::sides::{PORT, SERVERS, VIRTUAL};

pub(super) const INTERFACE: &str = "sync0";
pub(super) const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 254, 0, 1);
pub(super) const ID: u8 = 7;

const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 81), 8848);
/// Connections of a message, which must fit into a frame.
const MANY: usize = 38;
/// Messages that the daemon's socket holds for certain.
const AHEAD: usize = 32;
const HEAD: usize = 8;
const RECORD: usize = 36;
const VERSION: u8 = 1;
/// By direct routing, and not active.
const FLAGS: u32 = 0x0103;
const SECONDS: u32 = 86_400;

/// Hands connections of these clients to the backup daemon of `host`.
pub(super) fn send(host: &Host, clients: Range<u32>) -> Result<()> {
    let namespace = File::open(host.namespace_file())?;
    // A thread of its own stays in that namespace to its end.
    let sender = thread::spawn(move || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        send_from_here(clients)
    });
    sender
        .join()
        .map_err(|_| anyhow!("the sender has panicked"))?
}

fn send_from_here(clients: Range<u32>) -> Result<()> {
    let socket = UdpSocket::bind((SOURCE, 0))?;
    let clients: Vec<_> = clients.collect();
    for (index, clients) in clients.chunks(MANY).enumerate() {
        if index % AHEAD == 0 {
            wait_until_read()?;
        }
        socket.send_to(&message(clients), GROUP)?;
    }
    wait_until_read()
}

/// Waits until the daemon's socket is empty; an error if it has lost something.
fn wait_until_read() -> Result<()> {
    let port = format!(":{:04X}", GROUP.1);
    loop {
        let sockets = fs::read_to_string("/proc/thread-self/net/udp")?;
        let lines = sockets
            .lines()
            .map(|line| line.split_whitespace().collect());
        let mut found = lines.filter(|words: &Vec<_>| words.len() > 4 && words[1].ends_with(&port));
        let words = found.next().context("no backup daemon's socket")?;
        ensure!(words.last() == Some(&"0"), "messages were lost: {words:?}");
        if words[4].ends_with(":00000000") {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn message(clients: &[u32]) -> Vec<u8> {
    let size = (HEAD + RECORD * clients.len()) as u16;
    let [high, low] = size.to_be_bytes();
    let mut message = vec![0, ID, high, low, clients.len() as u8, VERSION, 0, 0];
    for &client in clients {
        message.extend(record(client));
    }
    message
}

/// `struct ip_vs_sync_v4`.
fn record(number: u32) -> Vec<u8> {
    let client = Client::of(number);
    let server = [10, 0, 0, (1 + number % SERVERS) as u8];
    let mut record = vec![0, UDP];
    record.extend((RECORD as u16).to_be_bytes());
    record.extend(FLAGS.to_be_bytes());
    // The state, of which UDP has one.
    for word in [0, client.port, PORT, PORT] {
        record.extend(word.to_be_bytes());
    }
    // No firewall mark.
    for word in [0, SECONDS] {
        record.extend(word.to_be_bytes());
    }
    for address in [client.address, VIRTUAL, server] {
        record.extend(address);
    }
    record
}
