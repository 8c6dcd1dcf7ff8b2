//! Records of version 0, which the first masters send, and later ones with `sync_version` 0.

use zerocopy::FromBytes;

use super::layout::{Numbers, OldRecord};
use crate::flags::Flags;
use crate::reason::Reason;
use crate::record::{Addresses, Ports, Record, Sequences};

/// Takes a record from the front.
pub(super) fn take(rest: &mut &[u8]) -> Result<Record, Reason> {
    let (record, behind) = OldRecord::read_from_prefix(rest).map_err(|_| Reason::Truncated)?;
    *rest = behind;
    let flags = Flags(record.flags.get().into());
    let sequences = match flags.has(Flags::SEQUENCES) {
        true => Some(sequences(rest)?),
        false => None,
    };
    Ok(Record {
        protocol: record.protocol,
        flags,
        state: record.state.get(),
        addresses: Addresses::V4(record.addresses.read()),
        ports: Ports {
            client: record.client_port.get(),
            virtual_port: record.virtual_port.get(),
            destination: record.destination_port.get(),
        },
        mark: 0,
        timeout: 0,
        sequences,
        engine: None,
        local: None,
        across: None,
    })
}

/// All else is in network order; these are as the sender has them, which is taken to be as we do.
fn sequences(rest: &mut &[u8]) -> Result<Sequences, Reason> {
    let (numbers, behind) = Numbers::read_from_prefix(rest).map_err(|_| Reason::Truncated)?;
    *rest = behind;
    Ok(numbers.read(u32::from_ne_bytes))
}
