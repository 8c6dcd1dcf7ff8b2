//! /proc/net/ip_vs_conn and ip_vs_conn_sync: a line for a connection.

use std::net::SocketAddr;

use rlvs_control::ConnectionEntry;

use super::address;

pub(super) const HEADER: &str =
    "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData";
pub(super) const SYNC_HEADER: &str =
    "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Origin Expires";

pub(super) fn entry(entry: &ConnectionEntry) -> String {
    let engine = match &entry.persistence_engine {
        Some((name, data)) => format!(" {name} {data}"),
        None => String::new(),
    };
    let (beginning, expires) = (beginning(entry), entry.expires);
    format!("{beginning} {expires:7}{engine}")
}

pub(super) fn sync_entry(entry: &ConnectionEntry) -> String {
    let (beginning, expires) = (beginning(entry), entry.expires);
    let origin = if entry.learned { "SYNC" } else { "LOCAL" };
    format!("{beginning} {origin:<6} {expires:7}")
}

fn beginning(entry: &ConnectionEntry) -> String {
    format!(
        "{:<3} {} {} {} {:<11}",
        entry.protocol,
        end(entry.client),
        end(entry.virtual_address),
        end(entry.destination),
        entry.state
    )
}

fn end(end: SocketAddr) -> String {
    format!("{} {:04X}", address(end.ip()), end.port())
}
