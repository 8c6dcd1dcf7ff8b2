//! The rows that are laid out behind a service's members.

use rlvs_engine::destination::Destination;
use rlvs_engine::schedule::mh::{self, Taker};
use rlvs_engine::schedule::rows::NOBODY;
use rlvs_engine::schedule::{Scheduler, sh, stateless};
use rlvs_engine::service::load_octets;
use rlvs_engine::{Family, V4, V6};
use rlvs_plane::Store;

/// Those of `scheduler`, or those for connections without an entry, see [`stateless`].
pub(super) fn rows<S: Store>(store: &S, scheduler: Scheduler, members: &[(u32, u32)]) -> Vec<u16> {
    let length = match scheduler {
        // They choose without.
        Scheduler::Dh | Scheduler::None => return Vec::new(),
        Scheduler::Sh => sh::ROWS,
        Scheduler::Mh => mh::ROWS,
        _ => stateless::rows(members.len()),
    };
    let mut rows = vec![NOBODY; length];
    match scheduler {
        Scheduler::Sh => sh::fill(&mut rows, members.iter().map(|&(weight, _)| weight)),
        _ => mh::fill(&mut rows, &mut takers(store, members)),
    }
    rows
}

fn takers<S: Store>(store: &S, members: &[(u32, u32)]) -> Vec<Taker> {
    let taker = |&(_, number): &(u32, u32)| {
        let record = &store.destinations()[number as usize];
        Taker::new(word(record), record.port(), record.last_weight.load())
    };
    members.iter().map(taker).collect()
}

fn word(record: &Destination) -> u32 {
    let octets = load_octets(&record.address);
    if record.is(Destination::IPV6) {
        return V6::word(octets);
    }
    let [a, b, c, d, ..] = octets;
    V4::word([a, b, c, d])
}
