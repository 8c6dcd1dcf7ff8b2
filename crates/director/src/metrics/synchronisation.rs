//! Synchronisation of connections with other directors.

use std::io;

use rlvs_control::Synchronisation;
use rlvs_control::sync::{DaemonState, PeerState};

use super::text::{Kind, Text};

type Count = (&'static str, Kind, &'static str, fn(&DaemonState) -> u64);

const OF_DAEMONS: [Count; 4] = [
    (
        "up",
        Kind::Gauge,
        "Whether a synchronisation daemon works",
        |it| u64::from(it.problem.is_none()),
    ),
    (
        "messages_total",
        Kind::Counter,
        "Messages that a master has sent, or that have come to a backup",
        |it| it.messages,
    ),
    (
        "connections_total",
        Kind::Counter,
        "Connections and templates that a master has told, or a backup has taken",
        |it| it.records,
    ),
    (
        "waiting",
        Kind::Gauge,
        "Connections that a backup keeps until their real server is known",
        |it| it.waiting,
    ),
];

type OfPeer = (&'static str, Kind, &'static str, fn(&PeerState) -> u64);

const OF_PEERS: [OfPeer; 4] = [
    (
        "up",
        Kind::Gauge,
        "Whether another director is told connections",
        |it| u64::from(it.problem.is_none()),
    ),
    (
        "caught_up",
        Kind::Gauge,
        "Whether all that another director has is known here",
        |it| u64::from(it.caught_up),
    ),
    (
        "told_total",
        Kind::Counter,
        "Connections and templates that another director was told",
        |it| it.told,
    ),
    (
        "taken_total",
        Kind::Counter,
        "Connections and templates of another director that were taken",
        |it| it.taken,
    ),
];

fn peers(text: &mut Text<'_>, peers: &[PeerState]) -> io::Result<()> {
    for (name, kind, help, of) in OF_PEERS {
        let samples = peers.iter();
        let samples = samples.map(|it| ([("peer", it.address.to_string())], of(it)));
        text.family(&format!("rlvs_sync_peer_{name}"), kind, help, samples)?;
    }
    let dropped = peers.iter().flat_map(|it| {
        it.dropped.iter().map(|dropped| {
            let labels = [
                ("peer", it.address.to_string()),
                ("reason", dropped.reason.clone()),
            ];
            (labels, dropped.count)
        })
    });
    text.family(
        "rlvs_sync_peer_dropped_total",
        Kind::Counter,
        "Connections of another director that were not taken, by reason",
        dropped,
    )
}

pub(super) fn write(text: &mut Text<'_>, it: &Synchronisation) -> io::Result<()> {
    for (name, kind, help, of) in OF_DAEMONS {
        let samples = it.daemons.iter();
        let samples = samples.map(|it| ([("role", it.daemon.role.to_string())], of(it)));
        text.family(&format!("rlvs_sync_{name}"), kind, help, samples)?;
    }
    peers(text, &it.peers)?;
    text.one(
        "rlvs_sync_caught_up",
        Kind::Gauge,
        "Whether what peers had when the daemon began is known here",
        u8::from(it.caught_up),
    )?;
    let dropped = it.daemons.iter().flat_map(|it| {
        it.dropped.iter().map(|dropped| {
            let labels = [
                ("role", it.daemon.role.to_string()),
                ("reason", dropped.reason.clone()),
            ];
            (labels, dropped.count)
        })
    });
    text.family(
        "rlvs_sync_dropped_total",
        Kind::Counter,
        "Messages and connections that were not told or not taken, by reason",
        dropped,
    )
}
