//! `virtual_server_group NAME { ... }`

use std::net::IpAddr;

use rlvs_control::model::Family;

use super::super::notes::{Notes, lines};
use super::super::tree::Statement;
use crate::range;

/// Addresses and marks under one name.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Group {
    pub(in super::super) name: String,
    /// With their ports; 0 where none is named.
    pub(super) addresses: Vec<(IpAddr, u16)>,
    /// With the IP version, where it is named.
    pub(super) marks: Vec<(u32, Option<Family>)>,
}

/// Reads one.
pub(in super::super) fn group(notes: &mut Notes, statement: &Statement) -> Option<Group> {
    let mut group = Group {
        name: notes.text(statement)?,
        ..Group::default()
    };
    for line in lines(statement) {
        match line.keyword() {
            "fwmark" => group.mark(notes, line),
            text => match range::addresses(text) {
                Ok(addresses) => group.add(notes, line, &addresses),
                Err(message) => notes.wrong(line, message),
            },
        }
    }
    Some(group)
}

impl Group {
    fn mark(&mut self, notes: &mut Notes, line: &Statement) {
        let Some(mark) = notes.number(line, 1..=u32::MAX) else {
            return;
        };
        let family = line.parameters().get(1).map(|word| word.text.as_str());
        let family = match family {
            None => None,
            Some("inet") => Some(Family::Ipv4),
            Some("inet6") => Some(Family::Ipv6),
            Some(other) => {
                notes.wrong(line, format!("`{other}` is neither inet nor inet6"));
                None
            }
        };
        self.marks.push((mark, family));
    }

    fn add(&mut self, notes: &mut Notes, line: &Statement, addresses: &[IpAddr]) {
        let port = match line.parameters().first() {
            None => Some(0),
            Some(word) => notes.number_of(line, word, 1..=u16::MAX),
        };
        let port = port.into_iter();
        let pairs = port.flat_map(|port| addresses.iter().map(move |address| (*address, port)));
        self.addresses.extend(pairs);
    }
}
