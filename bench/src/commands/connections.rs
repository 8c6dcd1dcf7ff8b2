//! Connections as packets make them, written into a director's tables. Nothing is forwarded.

use std::ops::Range;

use anyhow::{Result, ensure};
use rlvs_engine::connection::{Meta, State};
use rlvs_engine::destination::Destination;
use rlvs_engine::family::Endpoints;
use rlvs_engine::table::{self, Inserted};
use rlvs_engine::{Family, Tables, V4};
use rlvs_plane::{KernelTables, Store};
use rlvs_wire::protocol::UDP;

use super::sides::{PORT, VIRTUAL};

/// A connection's other end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Client {
    pub(super) address: [u8; 4],
    pub(super) port: u16,
}

impl Client {
    /// Each has a thousand ports.
    pub(super) fn of(number: u32) -> Self {
        let [_, a, b, c] = (number / 1000).to_be_bytes();
        Self {
            address: [172, 16 + a, b, c],
            port: 10_000 + (number % 1000) as u16,
        }
    }
}

/// Those of these clients, to all destinations in turn.
pub(super) fn make(tables: &KernelTables, clients: Range<u32>) -> Result<()> {
    let servers = servers(tables);
    ensure!(
        !servers.is_empty(),
        "no destination in the director's tables"
    );
    for number in clients {
        let server = servers[number as usize % servers.len()];
        let meta = Meta::new(server, State::Udp, 0);
        let added = table::add_if_room::<V4, _>(tables, &key(Client::of(number)), meta);
        ensure!(
            matches!(added, Inserted::New(_)),
            "no room for connection {number}"
        );
        if let (Some(load), Some(record)) = (tables.load(server), tables.destination(server)) {
            load.begin(false, record);
        }
    }
    Ok(())
}

/// The numbers of all destinations that there are.
fn servers(tables: &KernelTables) -> Vec<u32> {
    let records = tables.destinations().iter().zip(0..);
    let available = records.filter(|(record, _)| record.is(Destination::AVAILABLE));
    available.map(|(_, number)| number).collect()
}

fn key(client: Client) -> <<V4 as Family>::Key as rlvs_engine::connection::Key>::Value {
    V4::key(&Endpoints {
        client: client.address,
        virtual_address: VIRTUAL,
        client_port: client.port.to_be_bytes(),
        virtual_port: PORT.to_be_bytes(),
        protocol: UDP,
    })
}
