//! The sweep: goes through the connection tables once a second and ends what is over.
//!
//! It works on the same memory as the packet path, with the same code and the same rule for who
//! may change what (a compare-and-swap), so neither waits for the other. It runs in a thread of
//! its own: a table of millions must not delay an answer.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rlvs_engine::connection::{Bucket, Key, Meta, State};
use rlvs_engine::service::filter;
use rlvs_engine::tables::Context;
use rlvs_engine::tuple::Packet;
use rlvs_engine::{Family, FamilyTables, Tables, V4, V6, table};
use rlvs_plane::{KernelTables, Store};
use tokio::sync::watch;

use crate::defence::thin_out;
use crate::installed::destination_key;

/// How often.
const PERIOD: Duration = Duration::from_secs(1);
/// At least this much rest between two, however large the tables.
const REST: Duration = Duration::from_millis(200);

/// What one sweep found.
#[derive(Clone, Debug, Default)]
pub struct Swept {
    /// Live entries of IPv4 and IPv6, templates too.
    pub entries: [u64; 2],
    /// How long it took.
    pub took: Duration,
    /// The filter of virtual addresses that live entries need.
    pub filter: Vec<u64>,
    /// Connections by full NAT of each local address.
    pub leases: HashMap<IpAddr, u64>,
}

/// Sweeps until the receiver is gone.
pub fn spawn(tables: Arc<KernelTables>) -> watch::Receiver<Swept> {
    let (sender, receiver) = watch::channel(Swept::default());
    thread::spawn(move || {
        for turn in 0.. {
            if sender.is_closed() {
                break;
            }
            let begun = Instant::now();
            thin_out(&tables, turn);
            let swept = once(&tables);
            let took = begun.elapsed();
            sender.send_replace(Swept { took, ..swept });
            thread::sleep(PERIOD.saturating_sub(begun.elapsed()).max(REST));
        }
    });
    receiver
}

/// One sweep over all tables.
pub fn once(tables: &KernelTables) -> Swept {
    let mut filter = vec![0; filter::WORDS as usize];
    if let Some(settings) = tables.settings() {
        settings.age(tables.now());
    }
    let mut leases = HashMap::new();
    let [four, six] = in_use(tables);
    let mut entries = [0; 2];
    // Without connections the tables are left in peace: reading them costs memory bandwidth.
    if four {
        entries[0] = buckets::<V4, _>(tables, tables.buckets4(), &mut filter, &mut leases);
    }
    if six {
        entries[1] = buckets::<V6, _>(tables, tables.buckets6(), &mut filter, &mut leases);
    }
    Swept {
        took: Duration::ZERO,
        entries,
        filter,
        leases,
    }
}

/// Whether any destination has connections or templates, of IPv4 and of IPv6.
pub(crate) fn in_use<S: Store>(tables: &S) -> [bool; 2] {
    let mut families = [false; 2];
    for (load, destination) in tables.loads().iter().zip(tables.destinations()) {
        if load.counts() != (0, 0) || load.persistent.load() != 0 {
            families[usize::from(destination_key(destination).address.is_ipv6())] = true;
        }
    }
    families
}

/// Sweeps one version's buckets; how many entries live on.
pub fn buckets<F: Packet, T: FamilyTables<F>>(
    tables: &T,
    buckets: &[Bucket<F::Key>],
    filter: &mut [u64],
    leases: &mut HashMap<IpAddr, u64>,
) -> u64 {
    let mut entries = 0;
    for slots in buckets.chunks(CHUNK) {
        // The clock is read now and then: a sweep may take longer than a tick.
        let Some(context) = Context::new(tables) else {
            return entries;
        };
        for slot in slots.iter().flat_map(|bucket| &bucket.slots) {
            let meta = Meta(slot.meta.load());
            if !meta.is_live() || table::sweep::<F, T>(context, slot) {
                continue;
            }
            entries += 1;
            let ends = <F as Family>::endpoints(&slot.key.load());
            if meta.state() == State::Reverse {
                *leases.entry(F::ip(ends.client)).or_default() += 1;
                continue;
            }
            let (word, bit) = filter::place::<F>(ends.virtual_address);
            if let Some(word) = filter.get_mut(word as usize) {
                *word |= bit;
            }
        }
    }
    entries
}

const CHUNK: usize = 4096;
