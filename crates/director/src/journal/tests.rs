//! Whatever moment the process dies at, the state is the one after some transaction.

use std::net::{IpAddr, Ipv4Addr};

use rlvs_control::{
    Change, Destination, DestinationKey, ForwardingMethod, Protocol, Service, ServiceKey,
};
use tempfile::TempDir;

use super::*;

#[test]
fn what_is_appended_is_there_again() {
    let directory = TempDir::new().unwrap();
    let (states, _) = write_all(directory.path());
    assert_eq!(reopen(directory.path()), states[states.len() - 1]);
}

#[test]
fn a_log_cut_anywhere_is_the_state_after_its_whole_lines() {
    let directory = TempDir::new().unwrap();
    let (states, log) = write_all(directory.path());
    for length in 0..=log.len() {
        fs::write(directory.path().join(LOG), &log[..length]).unwrap();
        let whole = log[..length].iter().filter(|&&byte| byte == b'\n').count();
        assert_eq!(reopen(directory.path()), states[whole], "{length} bytes");
    }
}

#[test]
fn after_a_half_line_the_next_one_is_whole() {
    let directory = TempDir::new().unwrap();
    let (states, log) = write_all(directory.path());
    fs::write(directory.path().join(LOG), &log[..log.len() - 1]).unwrap();
    let (mut journal, _) = Journal::open(directory.path()).unwrap();
    journal
        .append(&transactions()[states.len() - 2], 0)
        .unwrap();
    assert_eq!(reopen(directory.path()), states[states.len() - 1]);
}

#[test]
fn a_snapshot_replaces_the_log() {
    let directory = TempDir::new().unwrap();
    let (mut journal, mut desired) = Journal::open(directory.path()).unwrap();
    for (index, transaction) in transactions().iter().enumerate() {
        journal.append(transaction, 0).unwrap();
        desired.apply(transaction, 0, &mut |_, _| {}).unwrap();
        if index % 2 == 0 {
            journal.snapshot(&desired).unwrap();
            assert_eq!(fs::metadata(directory.path().join(LOG)).unwrap().len(), 0);
        }
        assert_eq!(reopen(directory.path()), desired, "transaction {index}");
    }
}

#[test]
fn a_crash_between_snapshot_and_emptying_the_log_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let (states, log) = write_all(directory.path());
    let last = &states[states.len() - 1];
    Journal::open(directory.path())
        .unwrap()
        .0
        .snapshot(last)
        .unwrap();
    fs::write(directory.path().join(LOG), log).unwrap();
    assert_eq!(reopen(directory.path()), *last);
}

#[test]
fn a_crash_while_the_snapshot_is_written_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let (states, _) = write_all(directory.path());
    fs::write(directory.path().join(DRAFT), "{\"sequence\":9,\"desi").unwrap();
    assert_eq!(reopen(directory.path()), states[states.len() - 1]);
}

#[test]
fn a_transaction_that_was_not_installed_is_taken_back() {
    let directory = TempDir::new().unwrap();
    let (mut journal, _) = Journal::open(directory.path()).unwrap();
    let [first, second, third, ..] = &transactions()[..] else {
        panic!("too few")
    };
    for transaction in [first, second] {
        journal.append(transaction, 0).unwrap();
    }
    journal.retract().unwrap();
    let mut desired = Desired::default();
    desired.apply(first, 0, &mut |_, _| {}).unwrap();
    assert_eq!(reopen(directory.path()), desired);

    for transaction in [second, third] {
        journal.append(transaction, 0).unwrap();
        desired.apply(transaction, 0, &mut |_, _| {}).unwrap();
    }
    assert_eq!(reopen(directory.path()), desired);
}

#[test]
fn a_corrupt_line_is_named() {
    let directory = TempDir::new().unwrap();
    let (_, log) = write_all(directory.path());
    let second = log.iter().position(|&byte| byte == b'\n').unwrap() + 1;
    for (broken, message) in [
        (
            [&log[..second], b"{]\n", &log[second..]].concat(),
            "key must be a string",
        ),
        ([&log[..second], &log[second + 9..]].concat(), "expected"),
        (log[second..].to_vec(), "transaction 2 follows 0"),
    ] {
        fs::write(directory.path().join(LOG), broken).unwrap();
        let error = Journal::open(directory.path()).unwrap_err().to_string();
        let line = if message.starts_with("transaction") {
            1
        } else {
            2
        };
        let place = format!("{}:{line}: corrupt: ", directory.path().join(LOG).display());
        assert!(
            error.starts_with(&place) && error.contains(message),
            "{error}"
        );
    }
}

#[test]
fn a_corrupt_snapshot_is_named() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join(SNAPSHOT), "{}").unwrap();
    let error = Journal::open(directory.path()).unwrap_err().to_string();
    let place = format!("{}:1: corrupt: ", directory.path().join(SNAPSHOT).display());
    assert!(
        error.starts_with(&place) && error.contains("missing field"),
        "{error}"
    );
}

#[test]
fn a_long_log_wants_a_snapshot() {
    let directory = TempDir::new().unwrap();
    let (mut journal, mut desired) = Journal::open(directory.path()).unwrap();
    let mut appended = 0;
    while !journal.wants_snapshot() && appended < 100_000 {
        let transaction = set_timeouts(appended % 100 + 1);
        journal.append(&transaction, 0).unwrap();
        desired.apply(&transaction, 0, &mut |_, _| {}).unwrap();
        appended += 1;
    }
    let length = fs::metadata(directory.path().join(LOG)).unwrap().len();
    assert!((SMALL..SMALL + 200).contains(&length), "{length} bytes");
    journal.snapshot(&desired).unwrap();
    assert!(!journal.wants_snapshot());
}

#[test]
fn only_the_owner_can_read_it() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("rlvs/1");
    let (mut journal, desired) = Journal::open(&directory).unwrap();
    journal.append(&transactions()[0], 0).unwrap();
    journal.snapshot(&desired).unwrap();
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&directory.join(LOG)), 0o600);
    assert_eq!(mode(&directory.join(SNAPSHOT)), 0o600);
}

/// The state after every prefix of the transactions, and the log.
fn write_all(directory: &Path) -> (Vec<Desired>, Vec<u8>) {
    let (mut journal, mut desired) = Journal::open(directory).unwrap();
    let mut states = vec![desired.clone()];
    for transaction in transactions() {
        journal.append(&transaction, 0).unwrap();
        desired.apply(&transaction, 0, &mut |_, _| {}).unwrap();
        states.push(desired.clone());
    }
    (states, fs::read(directory.join(LOG)).unwrap())
}

fn reopen(directory: &Path) -> Desired {
    Journal::open(directory).unwrap().1
}

fn transactions() -> Vec<Transaction> {
    let key = service_key();
    let key_of_added = destination(2).key;
    vec![
        add_service().into(),
        Change::AddDestination {
            service: key,
            destination: destination(2),
        }
        .into(),
        Transaction::from(vec![
            Change::AddDestination {
                service: key,
                destination: destination(3),
            },
            Change::DeleteDestination {
                service: key,
                destination: key_of_added,
            },
        ]),
        set_timeouts(90),
        Change::SetSysctl {
            name: "sloppy_tcp".to_owned(),
            value: "1".to_owned(),
        }
        .into(),
        Change::Flush.into(),
    ]
}

fn add_service() -> Change {
    Change::AddService(Service {
        key: service_key(),
        scheduler: "wlc".to_owned(),
        scheduler_flags: 0,
        persistence: None,
        one_packet: false,
        persistence_engine: None,
        client_address: Default::default(),
        slow_start: 0,
    })
}

fn set_timeouts(tcp: u32) -> Transaction {
    Change::SetTimeouts {
        tcp,
        tcp_fin: 0,
        udp: 0,
    }
    .into()
}

fn service_key() -> ServiceKey {
    ServiceKey::Address {
        protocol: Protocol::Tcp,
        address: address(1),
        port: 80,
    }
}

fn destination(host: u8) -> Destination {
    Destination {
        key: DestinationKey {
            address: address(host),
            port: 80,
        },
        method: ForwardingMethod::Route,
        weight: 1,
        upper_threshold: 0,
        lower_threshold: 0,
    }
}

fn address(host: u8) -> IpAddr {
    Ipv4Addr::new(192, 0, 2, host).into()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}
