//! Reading: a datagram's head, then its records one by one.

use std::net::IpAddr;

use zerocopy::FromBytes;

use super::layout::{
    ACROSS, ENGINE_DATA, ENGINE_NAME, Head, IPV6, LOCAL_END, Local, Numbers, OPTIONAL, OldHead,
    SEQUENCES, SIZE_BITS, SIZE_MASK, Start, Three, VERSION, WORD,
};
use super::old;
use crate::flags::Flags;
use crate::reason::{Reason, Scope};
use crate::record::{Addresses, Engine, LocalEnd, Ports, Record, Sequences};

/// A datagram whose head is right.
#[derive(Clone, Debug)]
pub struct Message<'d> {
    pub id: u8,
    pub version: u8,
    pub records: Records<'d>,
}

impl<'d> Message<'d> {
    pub fn read(datagram: &'d [u8]) -> Result<Self, Reason> {
        let short = || Reason::Short(datagram.len());
        let (old, rest) = OldHead::read_from_prefix(datagram).map_err(|_| short())?;
        let (said, length) = (old.size.get(), datagram.len());
        if usize::from(said) != length {
            return Err(Reason::Length { said, length });
        }
        let (count, version, rest) = match Head::read_from_prefix(datagram) {
            Ok((head, rest)) if head.is_current() => (head.count, VERSION, rest),
            Ok((head, _)) if old.count == 0 => return Err(Reason::Version(head.version)),
            _ => (old.count, 0, rest),
        };
        Ok(Self {
            id: old.id,
            version,
            records: Records {
                rest,
                left: count,
                version,
            },
        })
    }
}

impl Head {
    fn is_current(&self) -> bool {
        self.reserved == 0 && self.version == VERSION && self.spare.get() == 0
    }
}

/// The records of a datagram, and why one is not used: after a reason that is about the rest
/// ([`Scope::Rest`]) comes nothing more.
#[derive(Clone, Debug)]
pub struct Records<'d> {
    rest: &'d [u8],
    left: u8,
    version: u8,
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Reason>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let record = match self.version {
            VERSION => self.current(),
            _ => old::take(&mut self.rest),
        };
        if record.as_ref().is_err_and(|it| it.scope() == Scope::Rest) {
            self.left = 0;
        }
        Some(record)
    }
}

impl Records<'_> {
    fn current(&mut self) -> Result<Record, Reason> {
        const SHORTEST: usize = size_of::<Start>() + size_of::<Three<4>>();
        let (start, _) = Start::read_from_prefix(self.rest).map_err(|_| Reason::Truncated)?;
        if self.rest.len() < SHORTEST {
            return Err(Reason::Truncated);
        }
        let size = start.size.get() & SIZE_MASK;
        let Some((bytes, _)) = self.rest.split_at_checked(size.into()) else {
            return Err(Reason::Beyond(size));
        };
        let version = start.size.get() >> SIZE_BITS;
        if version != 0 {
            return Err(Reason::RecordVersion(version as u8));
        }
        // The last one need not be filled up.
        let next = bytes.len().next_multiple_of(WORD).min(self.rest.len());
        self.rest = &self.rest[next..];
        record(bytes)
    }
}

/// All of a record.
fn record(bytes: &[u8]) -> Result<Record, Reason> {
    let small = || Reason::Small(bytes.len() as u16);
    let (start, rest) = Start::read_from_prefix(bytes).map_err(|_| small())?;
    let (addresses, rest) = match start.kind {
        kind if kind & IPV6 != 0 => {
            let (three, rest) = Three::<16>::read_from_prefix(rest).map_err(|_| small())?;
            (Addresses::V6(three.read()), rest)
        }
        0 => {
            let (three, rest) = Three::<4>::read_from_prefix(rest).map_err(|_| small())?;
            (Addresses::V4(three.read()), rest)
        }
        kind => return Err(Reason::Type(kind)),
    };
    let parameters = Parameters::read(rest)?;
    Ok(Record {
        protocol: start.protocol,
        flags: Flags(start.flags.get()),
        state: start.state.get(),
        addresses,
        ports: Ports {
            client: start.client_port.get(),
            virtual_port: start.virtual_port.get(),
            destination: start.destination_port.get(),
        },
        mark: start.mark.get(),
        timeout: start.timeout.get(),
        sequences: parameters.sequences,
        engine: parameters.engine()?,
        local: parameters.local,
        across: parameters.across,
    })
}

/// What is behind a record's addresses: kinds, lengths and bytes.
#[derive(Default)]
struct Parameters<'d> {
    sequences: Option<Sequences>,
    data: Option<&'d [u8]>,
    name: Option<&'d [u8]>,
    local: Option<LocalEnd>,
    across: Option<IpAddr>,
}

impl<'d> Parameters<'d> {
    fn read(mut bytes: &'d [u8]) -> Result<Self, Reason> {
        let mut read = Self::default();
        while !bytes.is_empty() {
            let &[kind, length, ref rest @ ..] = bytes else {
                return Err(Reason::ParameterTruncated);
            };
            let wrong = Reason::ParameterLength(kind);
            let (value, rest) = rest.split_at_checked(length.into()).ok_or(wrong)?;
            if value.is_empty() {
                return Err(wrong);
            }
            read.take(kind, value)?;
            bytes = rest;
        }
        Ok(read)
    }

    fn take(&mut self, kind: u8, value: &'d [u8]) -> Result<(), Reason> {
        let length = value.len() as u8;
        match kind & !OPTIONAL {
            SEQUENCES => {
                let numbers = Numbers::read_from_bytes(value);
                let numbers = numbers.map_err(|_| Reason::Sequences(length))?;
                once(kind, &mut self.sequences, numbers.read(u32::from_be_bytes))
            }
            ENGINE_DATA => once(kind, &mut self.data, value),
            ENGINE_NAME if value.len() > Engine::LONGEST_NAME => Err(Reason::EngineName(length)),
            ENGINE_NAME => once(kind, &mut self.name, value),
            LOCAL_END if kind & OPTIONAL != 0 => {
                let end = local_end(value).ok_or(Reason::LocalEnd(length))?;
                once(kind, &mut self.local, end)
            }
            ACROSS => {
                let address = address(value).ok_or(Reason::Across(length))?;
                once(kind, &mut self.across, address)
            }
            _ if kind & OPTIONAL != 0 => Ok(()),
            _ => Err(Reason::Parameter(kind)),
        }
    }

    /// A name alone says nothing.
    fn engine(&self) -> Result<Option<Engine>, Reason> {
        match (self.name, self.data) {
            (_, None) => Ok(None),
            (None, Some(_)) => Err(Reason::NoEngine),
            (Some(name), Some(data)) => Ok(Engine::new(name, data)),
        }
    }
}

fn local_end(value: &[u8]) -> Option<LocalEnd> {
    let four = Local::<4>::read_from_bytes(value).map(Local::read);
    let six = || Local::<16>::read_from_bytes(value).map(Local::read);
    four.or_else(|_| six()).ok()
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let four = <[u8; 4]>::try_from(value).map(IpAddr::from);
    let six = || <[u8; 16]>::try_from(value).map(IpAddr::from);
    four.or_else(|_| six()).ok()
}

fn once<T>(kind: u8, place: &mut Option<T>, value: T) -> Result<(), Reason> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Reason::ParameterTwice(kind)),
    }
}
