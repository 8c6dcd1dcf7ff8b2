//! The client's address in a TCP option, as directors put it into a connection's first packets when
//! they send in their own name (FULLNAT).
//!
//! ```text
//! kind 254 (RFC 4727), length 8,  port (2), IPv4 address (4)
//! kind 254,            length 20, port (2), IPv6 address (16)
//! ```

use rlvs_wire::{Tcp, tcp};

use crate::address::{Address, mapped};
use crate::inspect::Bytes;

const KIND: u8 = 254;
const LENGTH4: u8 = 8;
const LENGTH6: u8 = 20;
/// As many options as there can be: each takes a byte.
const MOST: usize = 40;

const END: u8 = 0;
const NOTHING: u8 = 1;

/// Who a connection is from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(C)]
pub struct Client {
    pub address: Address,
    pub port: [u8; 2],
    /// So that every byte is written.
    pub reserved: [u8; 2],
}

impl Client {
    #[inline(always)]
    fn new(address: Address, port: [u8; 2]) -> Self {
        Self {
            address,
            port,
            reserved: [0; 2],
        }
    }
}

/// The client that a segment tells of; `bytes` begin with its TCP header.
#[inline(always)]
pub fn find<B: Bytes>(bytes: &B) -> Option<Client> {
    let end = bytes.header::<Tcp>(0)?.header_length();
    let mut at = tcp::MIN_LENGTH;
    for _ in 0..MOST {
        if at >= end {
            return None;
        }
        let kind = *bytes.header::<u8>(at)?;
        if kind == END {
            return None;
        }
        if kind == NOTHING {
            at = bytes.offset(at + 1);
            continue;
        }
        let length = *bytes.header::<u8>(at + 1)?;
        if kind == KIND && at + length as usize <= end {
            return read(bytes, at, length);
        }
        if length < 2 {
            return None;
        }
        at = bytes.offset(at + length as usize);
    }
    None
}

/// One of another length is somebody else's experiment.
#[inline(always)]
fn read<B: Bytes>(bytes: &B, at: usize, length: u8) -> Option<Client> {
    let port = *bytes.header::<[u8; 2]>(at + 2)?;
    let address = match length {
        LENGTH4 => mapped(*bytes.header::<[u8; 4]>(at + 4)?),
        LENGTH6 => *bytes.header::<[u8; 16]>(at + 4)?,
        _ => return None,
    };
    Some(Client::new(address, port))
}
