//! Datagrams to a backup, each behind two bytes with its length. What is read of one can be told again,
//! and is read the same; what it means is decided.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use rlvs_sync::message::{Builder, Message, largest};
use rlvs_sync::receiver::{Entry, Held};
use rlvs_sync::{Receiver, Record, Scope};

const MASTER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LONGEST: Duration = Duration::from_secs(1000);

fuzz_target!(|datagrams: &[u8]| {
    let receiver = Receiver::default();
    let mut rest = datagrams;
    while let [high, low, behind @ ..] = rest {
        let length = u16::from_be_bytes([*high, *low]);
        let (datagram, behind) = behind.split_at(behind.len().min(length.into()));
        rest = behind;
        match receiver.read(MASTER, datagram) {
            Err(reason) => assert_eq!(reason.scope(), Scope::Datagram),
            Ok(records) => records.for_each(|record| match record {
                Err(reason) => assert_ne!(reason.scope(), Scope::Datagram),
                Ok(record) => understood(record),
            }),
        }
    }
});

fn understood(record: Record) {
    let mut builder = Builder::new(1, largest(None, false));
    assert!(builder.push(&record));
    let datagram = builder.finish();
    let again = Message::read(&datagram).expect("it was built");
    assert_eq!(again.records.collect::<Vec<_>>(), [Ok(record.clone())]);
    match Entry::try_from(record) {
        Err(reason) => assert_eq!(reason.scope(), Scope::Record),
        Ok(entry) => decided(&entry),
    }
}

fn decided(entry: &Entry) {
    assert!(entry.lasts(|_| LONGEST, LONGEST) <= LONGEST);
    assert!(entry.services().count() > 0);
    let destination = entry.record().virtual_address();
    entry.meets(Some(&Held { destination }));
}
