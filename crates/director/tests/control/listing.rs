//! Connections as a stream: all of them, in flat memory, and never half of them in silence.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use rlvs_control::{Client, Code, ConnectionEntry, Director, Timeouts};
use rlvs_director::server::{Access, ConnectionSource};

use crate::support::Fake;

const MANY: u32 = 200_000;
/// Entries that may be between table and reader: some batches and the socket's buffer.
const UNDER_WAY: u32 = 8_000;

/// Counts what it handed out and how many walks ended.
#[derive(Default)]
struct Source {
    panics_at: Option<u32>,
    visited: AtomicU32,
    ended: AtomicUsize,
}

impl ConnectionSource for Source {
    fn visit(&self, each: &mut dyn FnMut(ConnectionEntry) -> bool) {
        for number in 0..MANY {
            assert_ne!(Some(number), self.panics_at, "the walk fails here");
            self.visited.store(number + 1, Ordering::SeqCst);
            if !each(entry(number)) {
                break;
            }
        }
        self.ended.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn every_connection_arrives_in_order_and_few_are_under_way() {
    let (source, fake) = start(None);
    let mut read = 0;
    let each = &mut |found| {
        assert_eq!(found, entry(read));
        read += 1;
        let ahead = source.visited.load(Ordering::SeqCst) - read;
        assert!(ahead < UNDER_WAY, "{ahead} entries are under way");
        true
    };
    fake.client().connections(each).unwrap();
    assert_eq!(read, MANY);
}

#[test]
fn a_reader_that_stops_ends_the_walk() {
    let (source, fake) = start(None);
    let mut client = fake.client();
    let mut read = 0;
    let each = &mut |_| {
        read += 1;
        read < 10
    };
    client.connections(each).unwrap();
    assert_eq!(read, 10);
    wait_until(|| source.ended.load(Ordering::SeqCst) == 1);
    assert!(source.visited.load(Ordering::SeqCst) < MANY);
}

#[test]
fn a_walk_that_fails_is_no_short_listing() {
    let (_, fake) = start(Some(MANY / 2));
    let mut read = 0;
    let each = &mut |_| {
        read += 1;
        true
    };
    let error = fake.client().connections(each).unwrap_err();
    assert_eq!(error.code, Code::Internal);
    assert!(error.message.contains("broke off"), "{error}");
    assert!(read <= MANY / 2);
}

#[test]
fn other_requests_are_answered_meanwhile() {
    let (_, fake) = start(None);
    let name = fake.name();
    let mut answers = Vec::new();
    let each = &mut |_| {
        // A client blocks its thread: another one for the same thread would not do.
        let ask = || Client::connect_to(name)?.timeouts();
        answers.push(thread::scope(|scope| scope.spawn(ask).join().unwrap()));
        false
    };
    fake.client().connections(each).unwrap();
    assert_eq!(answers, [Ok(Timeouts::default())]);
}

fn start(panics_at: Option<u32>) -> (Arc<Source>, Fake) {
    let source = Arc::new(Source {
        panics_at,
        ..Source::default()
    });
    let connections = Arc::<Source>::clone(&source);
    (source, Fake::with(Access::new(None).unwrap(), connections))
}

fn entry(number: u32) -> ConnectionEntry {
    let client = ([10, 0, 0, 1], (number % 65_536) as u16);
    ConnectionEntry {
        protocol: "TCP".to_owned(),
        state: "ESTABLISHED".to_owned(),
        expires: number / 65_536,
        client: client.into(),
        virtual_address: ([192, 0, 2, 1], 80).into(),
        destination: ([192, 0, 2, 2], 80).into(),
        learned: false,
        persistence_engine: None,
        local: None,
    }
}

fn wait_until(done: impl Fn() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("not within 5 s");
}
