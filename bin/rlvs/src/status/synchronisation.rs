//! Synchronisation of connections with other directors.

use std::fmt::Write as _;

use rlvs_control::SyncRole;
use rlvs_control::sync::{DaemonState, Dropped, PeerState, Synchronisation};

use super::table::{Cell, Table};
use super::{BAD, DOUBTFUL};

pub(super) fn draw(now: &Synchronisation) -> String {
    let mut text = String::new();
    for state in &now.daemons {
        daemon(&mut text, state);
    }
    for peer in &now.peers {
        draw_peer(&mut text, peer);
    }
    if !now.caught_up {
        let _ = writeln!(
            text,
            "  {DOUBTFUL}what peers had at the start is not all known yet{DOUBTFUL:#}"
        );
    }
    text
}

fn draw_peer(text: &mut String, peer: &PeerState) {
    let PeerState {
        address,
        told,
        taken,
        ..
    } = peer;
    let all = match peer.caught_up {
        true => ", all that it has",
        false => "",
    };
    let _ = writeln!(
        text,
        "  peer {address}: {told} connections told, {taken} taken{all}"
    );
    if let Some(problem) = &peer.problem {
        let _ = writeln!(text, "    {BAD}NOT TOLD: {problem}{BAD:#}");
    }
    rest(text, peer.waiting, &peer.dropped);
}

fn daemon(text: &mut String, state: &DaemonState) {
    let it = &state.daemon;
    let (group, port) = (it.group(), it.port());
    let _ = writeln!(
        text,
        "  {} of syncid {} on {}: {group}, port {port}",
        it.role, it.id, it.interface
    );
    if let Some(problem) = &state.problem {
        let _ = writeln!(text, "    {BAD}NOT SYNCHRONISED: {problem}{BAD:#}");
    }
    let (records, messages) = (state.records, state.messages);
    let verb = match it.role {
        SyncRole::Master => "told",
        SyncRole::Backup => "taken",
    };
    let _ = writeln!(
        text,
        "    {records} connections {verb}, {messages} messages"
    );
    if it.role == SyncRole::Backup {
        whom(text, state);
    }
    rest(text, state.waiting, &state.dropped);
}

fn rest(text: &mut String, waiting: u64, dropped: &[Dropped]) {
    if waiting > 0 {
        let _ = writeln!(
            text,
            "    {DOUBTFUL}{waiting} wait for a service and real server of theirs here{DOUBTFUL:#}"
        );
    }
    let mut table = Table::new("    ");
    for Dropped { reason, count } in dropped {
        table.row([Cell::right(count), Cell::left(reason)]);
    }
    let _ = write!(text, "{table}");
}

fn whom(text: &mut String, state: &DaemonState) {
    let peers: Vec<_> = state.peers.iter().map(ToString::to_string).collect();
    let whom = match peers.is_empty() {
        true => "everybody who reaches the group: `allow` in [sync] says who may".to_owned(),
        false => peers.join(", "),
    };
    let _ = writeln!(text, "    of {whom}");
}

#[cfg(test)]
mod tests {
    use rlvs_control::SyncDaemon;

    use super::*;

    #[test]
    fn all_is_said_in_lines() {
        let master = DaemonState {
            problem: Some("there is no interface `eth9'".to_owned()),
            ..DaemonState::new(SyncDaemon::new(SyncRole::Master, "eth9").filled(1500))
        };
        let backup = DaemonState {
            messages: 2,
            records: 70,
            peers: vec![[192, 0, 2, 7].into()],
            waiting: 3,
            dropped: vec![Dropped {
                reason: "stranger".to_owned(),
                count: 12,
            }],
            ..DaemonState::new(SyncDaemon::new(SyncRole::Backup, "eth0").filled(1500))
        };
        let anybody = DaemonState::new(SyncDaemon::new(SyncRole::Backup, "eth0"));
        let text = draw(&Synchronisation {
            daemons: vec![master, backup, anybody],
            peers: vec![PeerState {
                address: ([192, 0, 2, 9], 8849).into(),
                problem: Some("connection refused".to_owned()),
                caught_up: true,
                told: 1,
                taken: 2,
                waiting: 0,
                dropped: Vec::new(),
            }],
            caught_up: false,
        });
        let plain = anstream::adapter::strip_str(&text).to_string();
        let expected = "  master of syncid 0 on eth9: 224.0.0.81, port 8848
    NOT SYNCHRONISED: there is no interface `eth9'
    0 connections told, 0 messages
  backup of syncid 0 on eth0: 224.0.0.81, port 8848
    70 connections taken, 2 messages
    of 192.0.2.7
    3 wait for a service and real server of theirs here
    12  stranger
  backup of syncid 0 on eth0: 224.0.0.81, port 8848
    0 connections taken, 0 messages
    of everybody who reaches the group: `allow` in [sync] says who may
  peer 192.0.2.9:8849: 1 connections told, 2 taken, all that it has
    NOT TOLD: connection refused
  what peers had at the start is not all known yet
";
        assert_eq!(plain, expected);
    }
}
