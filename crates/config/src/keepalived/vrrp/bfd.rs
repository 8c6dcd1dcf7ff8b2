//! `bfd_instance NAME { ... }`

use super::super::block::{Keyword, read_block, value};
use super::super::notes::Notes;
use super::super::tree::Statement;
use super::name;
use crate::model::vrrp::Bfd;

pub(in super::super) fn bfd_instance(notes: &mut Notes, statement: &Statement) -> Option<Bfd> {
    let mut bfd = Bfd::new(name(notes, statement)?);
    read_block(statement, &[BFD], &mut bfd, notes);
    Some(bfd)
}

const BFD: &[Keyword<Bfd>] = &[
    value(&["neighbor_ip", "neighbour_ip"], |it, notes, line| {
        it.neighbor_ip = notes.address(line);
    }),
    value(&["source_ip"], |it, notes, line| {
        it.source_ip = notes.address(line);
    }),
    value(&["min_rx"], |it, notes, line| {
        it.min_rx = notes.seconds(line);
    }),
    value(&["min_tx"], |it, notes, line| {
        it.min_tx = notes.seconds(line);
    }),
    value(&["idle_tx"], |it, notes, line| {
        it.idle_tx = notes.seconds(line);
    }),
    value(&["multiplier"], |it, notes, line| {
        it.multiplier = notes.number(line, 1..=255);
    }),
    value(&["passive"], |it, _, _| it.passive = true),
    value(&["ttl", "hoplimit"], |it, notes, line| {
        it.ttl = notes.number(line, 1..=255);
    }),
    value(&["max_hops"], |it, notes, line| {
        it.max_hops = notes.number(line, 0..=255);
    }),
    value(&["weight"], |it, notes, line| {
        if let Some(weight) = notes.number(line, -253..=253) {
            let reverse = line.parameters().get(1);
            it.weight = weight;
            it.reverse = reverse.is_some_and(|word| word.text == "reverse");
        }
    }),
    value(&["vrrp"], |it, _, _| it.vrrp = true),
    value(&["checker"], |it, _, _| it.checker = true),
];
