//! Addresses in the words of `ip address add`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::super::notes::{Notes, lines};
use super::super::tree::{Statement, Word};
use crate::model::VirtualAddress;
use crate::model::vrrp::address::wrong;

/// Words that stand alone.
const FLAGS: [&str; 7] = [
    "home",
    "-nodad",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "no_track",
    "use_vmac",
];

/// All addresses of a block, a line each.
pub(in super::super) fn addresses(notes: &mut Notes, statement: &Statement) -> Vec<VirtualAddress> {
    let read = lines(statement).iter();
    read.filter_map(|line| address(notes, line)).collect()
}

fn address(notes: &mut Notes, line: &Statement) -> Option<VirtualAddress> {
    let first = line.words.first()?;
    let Some(net) = net(&first.text) else {
        notes.wrong(line, "this is no IP address; it is left out");
        return None;
    };
    let mut address = VirtualAddress::new(net);
    let mut words = line.words[1..].iter();
    while let Some(word) = words.next() {
        if FLAGS.contains(&word.text.as_str()) {
            address.flags.push(word.text.clone());
        } else {
            option(&mut address, notes, line, word, words.next());
        }
    }
    Some(address)
}

fn option(
    address: &mut VirtualAddress,
    notes: &mut Notes,
    line: &Statement,
    word: &Word,
    value: Option<&Word>,
) {
    let place = match word.text.as_str() {
        "dev" => &mut address.interface,
        "brd" | "broadcast" => &mut address.broadcast,
        "scope" => &mut address.scope,
        "label" => &mut address.label,
        "preferred_lft" => &mut address.preferred_lft,
        "track_group" => &mut address.track_group,
        "peer" => {
            address.peer = value.and_then(|word| net(&word.text));
            return;
        }
        other => {
            let message = format!("`{other}` is no option of an address; it is left out");
            return notes.warn(word.place, line.keyword(), message);
        }
    };
    let wrong = value.and_then(|value| wrong(&word.text, &value.text));
    if let (Some(value), Some(wrong)) = (value, wrong) {
        return notes.warn(value.place, line.keyword(), wrong);
    }
    match value {
        Some(value) => *place = Some(value.text.clone()),
        None => notes.warn(word.place, line.keyword(), "its value is missing"),
    }
}

/// With its length, or that of a host.
pub(super) fn net(text: &str) -> Option<IpNet> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}
