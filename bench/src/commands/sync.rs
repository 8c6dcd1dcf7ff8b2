//! Connections that the kernel takes over from another director: messages of IPVS's synchronisation
//! to a backup daemon. That is as many in a second as the kernel can make of them.

use std::fs::{self, File};
use std::iter::Peekable;
use std::net::{Ipv4Addr, UdpSocket};
use std::ops::Range;
use std::os::fd::AsFd;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use rlvs_lab::Host;
use rlvs_sync::message::{Builder, largest};
use rlvs_sync::{Addresses, Ends, Flags, Forwarding, Ports, Record, State};
use rlvs_wire::protocol::UDP;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::connections::Client;
use super::sides::{PORT, SERVERS, VIRTUAL};

pub(super) const INTERFACE: &str = "sync0";
pub(super) const SOURCE: Ipv4Addr = Ipv4Addr::new(10, 254, 0, 1);
pub(super) const ID: u8 = 7;

const GROUP: (Ipv4Addr, u16) = (Ipv4Addr::new(224, 0, 0, 81), 8848);
/// Messages that the daemon's socket holds for certain.
const AHEAD: usize = 32;
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
    let mut records = clients.map(record).peekable();
    for index in 0.. {
        if records.peek().is_none() {
            break;
        }
        if index % AHEAD == 0 {
            wait_until_read()?;
        }
        socket.send_to(&message(&mut records), GROUP)?;
    }
    wait_until_read()
}

/// As many records as find room.
fn message(records: &mut Peekable<impl Iterator<Item = Record>>) -> Vec<u8> {
    let mut message = Builder::new(ID, largest(None, false));
    while records.next_if(|record| message.push(record)).is_some() {}
    message.finish()
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

/// The record of a client's connection, by direct routing and not active.
fn record(number: u32) -> Record {
    let client = Client::of(number);
    Record {
        protocol: UDP,
        flags: Flags::INACTIVE.forwarded(Forwarding::DirectRoute),
        state: State::Udp.number(),
        addresses: Addresses::V4(Ends {
            client: client.address.into(),
            virtual_address: VIRTUAL.into(),
            destination: [10, 0, 0, (1 + number % SERVERS) as u8].into(),
        }),
        ports: Ports {
            client: client.port,
            virtual_port: PORT,
            destination: PORT,
        },
        mark: 0,
        timeout: SECONDS,
        sequences: None,
        engine: None,
        local: None,
        across: None,
    }
}
