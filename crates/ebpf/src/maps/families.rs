//! What the tables hold for each IP version, and the stages that look at it.

use rlvs_engine::connection::{Bucket, Meta};
use rlvs_engine::fragment::{Draft, Trail};
use rlvs_engine::ftp::{self, Announced};
use rlvs_engine::lease::{self, Beginning, Lease, Taken};
use rlvs_engine::outcome::Outcome;
use rlvs_engine::reason::Reason;
use rlvs_engine::schedule::{self, Members, near, stateless};
use rlvs_engine::service::ServiceKey;
use rlvs_engine::table::{self, Seat, Spot};
use rlvs_engine::tables::KeyOf;
use rlvs_engine::tuple::Tuple;
use rlvs_engine::{Family, FamilyTables, V4, V6, answers, begin, template};
use rlvs_word::Shared64;

use super::{
    CONNECTIONS4, CONNECTIONS6, DISPLACED4, DISPLACED6, DRAFTS4, DRAFTS6, FRAGMENTS4, FRAGMENTS6,
    INDEX4, INDEX6, MOST_CPUS, Maps, NONE, Place, cpu, place, scratch, some,
};

macro_rules! family_tables {
    ($version:literal, $family:ty) => {
        impl FamilyTables<$family> for Maps {
            #[inline(always)]
            fn bucket(&self, index: u32) -> Option<&Bucket<<$family as Family>::Key>> {
                ${concat(CONNECTIONS, $version)}.get(index)
            }

            #[inline(always)]
            fn displaced(&self, bucket: u32) -> Option<&Shared64> {
                ${concat(DISPLACED, $version)}.get(bucket)
            }

            #[inline(always)]
            fn service(&self, key: &ServiceKey<<$family as Family>::Address>) -> Option<u32> {
                // SAFETY: a number is read at once; the daemon never changes one in place.
                unsafe { ${concat(INDEX, $version)}.get(key) }.copied()
            }

            #[inline(always)]
            fn draft(&self) -> Option<&Draft<$family>> {
                ${concat(DRAFTS, $version)}.get(cpu() & (MOST_CPUS as u32 - 1))
            }

            #[inline(always)]
            fn trail(&self, draft: &Draft<$family>) -> Option<&Trail> {
                // SAFETY: it is read word by word, and may be another's if that is newer.
                unsafe { ${concat(FRAGMENTS, $version)}.get(&draft.datagram) }
            }

            #[inline(always)]
            fn lay(&self, draft: &Draft<$family>) {
                // If there is no room for it, the datagram's other fragments pass.
                let _ = ${concat(FRAGMENTS, $version)}.insert(&draft.datagram, &draft.trail, 0);
            }

            #[inline(always)]
            fn is_server(&self, packet: &KeyOf<$family>) -> bool {
                ${concat(rlvs_is_server, $version)}(packet) != 0
            }

            #[inline(always)]
            fn begin(&self, tuple: &Tuple<$family>) -> Result<u32, Reason> {
                match scratch(Place::Begin, tuple) {
                    Some(tuple) => answer::unpack(${concat(rlvs_begin, $version)}(tuple)),
                    None => Err(Reason::Internal),
                }
            }

            #[inline(always)]
            fn service_of(&self, tuple: &Tuple<$family>) -> Result<u32, Reason> {
                answer::unpack(${concat(rlvs_service, $version)}(tuple))
            }

            #[inline(always)]
            fn await_data(&self, announced: Announced) -> bool {
                ${concat(rlvs_await_data, $version)}(announced.0) != 0
            }

            #[inline(always)]
            fn make_room_for_data(&self, announced: Announced) -> bool {
                ${concat(rlvs_make_room_for_data, $version)}(announced.0) != 0
            }

            #[inline(always)]
            fn begin_data(&self, tuple: &Tuple<$family>) -> Outcome {
                match scratch(Place::Begin, tuple) {
                    Some(tuple) => Outcome(${concat(rlvs_begin_data, $version)}(tuple)),
                    None => Outcome::failed(Reason::Internal),
                }
            }

            #[inline(always)]
            fn recall_announced(&self, key: &KeyOf<$family>) -> Outcome {
                Outcome(${concat(rlvs_recall_announced, $version)}(key))
            }

            #[inline(always)]
            fn arrive(&self, key: &KeyOf<$family>) {
                ${concat(rlvs_arrive, $version)}(key);
            }

            #[inline(always)]
            fn insert(&self, key: &KeyOf<$family>, meta: Meta) -> Spot {
                Spot(${concat(rlvs_insert, $version)}(key, meta.0))
            }

            #[inline(always)]
            fn take(&self, client: &KeyOf<$family>, destination: u32) -> Taken {
                let client = scratch(Place::Lease, client);
                Taken(client.map_or(0, |client| ${concat(rlvs_take, $version)}(client, destination)))
            }

            #[inline(always)]
            fn attempt(&self, client: &KeyOf<$family>, destination: u32, hash: u64) -> Taken {
                Taken(${concat(rlvs_attempt, $version)}(client, destination, hash))
            }

            #[inline(always)]
            fn is_only(&self, key: &KeyOf<$family>, seat: Seat) -> bool {
                ${concat(rlvs_is_only, $version)}(key, seat.0) != 0
            }

            #[inline(always)]
            fn bind(&self, client: &KeyOf<$family>, taken: Taken) -> Lease {
                let client = scratch(Place::Lease, client);
                Lease(client.map_or(0, |client| ${concat(rlvs_bind, $version)}(client, taken.0)))
            }

            #[inline(always)]
            fn give_back(&self, client: &KeyOf<$family>, destination: u32, lease: Lease) {
                ${concat(rlvs_give_back, $version)}(client, destination, lease.0);
            }

            #[inline(always)]
            fn beginning(
                &self,
                client: &KeyOf<$family>,
                (number, lease): (u32, Lease),
                first: Beginning,
            ) -> Beginning {
                let client = scratch(Place::Lease, client);
                Beginning(client.map_or(0, |client| ${concat(rlvs_beginning, $version)}(client, number, lease.0, first.0)))
            }

            #[inline(always)]
            fn make_room(&self, key: &KeyOf<$family>) -> bool {
                ${concat(rlvs_make_room, $version)}(key) != 0
            }

            #[inline(always)]
            fn victim(&self, key: &KeyOf<$family>) -> Spot {
                Spot(${concat(rlvs_victim, $version)}(key))
            }

            #[inline(always)]
            fn hash(&self, key: &KeyOf<$family>, service: u32, members: Members) -> Option<u32> {
                some(${concat(rlvs_hash, $version)}(key, service, members.0))
            }

            #[inline(always)]
            fn near(&self, key: &KeyOf<$family>, service: u32, members: Members) -> Option<u32> {
                some(${concat(rlvs_near, $version)}(key, service, members.0))
            }

            #[inline(always)]
            fn pick_stateless(&self, key: &KeyOf<$family>, service: u32) -> Option<u32> {
                some(${concat(rlvs_pick_stateless, $version)}(key, service))
            }

            #[inline(always)]
            fn recall(&self, key: &KeyOf<$family>, call: u64, service: u32) -> Option<u32> {
                some(${concat(rlvs_recall, $version)}(key, call, service))
            }

            #[inline(always)]
            fn remember(
                &self,
                key: &KeyOf<$family>,
                call: u64,
                service: u32,
                destination: u32,
            ) -> Option<u32> {
                some(${concat(rlvs_remember, $version)}(key, call, service, destination))
            }

            #[inline(always)]
            fn keep_call(&self, key: &KeyOf<$family>, call: u64, service: u32) {
                ${concat(rlvs_keep_call, $version)}(key, call, service);
            }

            #[inline(always)]
            fn forget(&self, key: &KeyOf<$family>, destination: u32, assures: bool) {
                ${concat(rlvs_forget, $version)}(key, destination, assures.into());
            }

            #[inline(always)]
            fn find_displaced(&self, key: &KeyOf<$family>) -> Spot {
                Spot(scratch(Place::Find, key).map_or(0, |key| ${concat(rlvs_find, $version)}(key)))
            }

            #[inline(always)]
            fn find_answered_displaced(&self, turned: &KeyOf<$family>) -> Spot {
                Spot(scratch(Place::Find, turned).map_or(0, |turned| ${concat(rlvs_find_answered, $version)}(turned)))
            }

            #[inline(always)]
            fn end(&self, key: &KeyOf<$family>) {
                if let Some(key) = scratch(Place::End, key) {
                    ${concat(rlvs_end, $version)}(key);
                }
            }

            #[inline(always)]
            fn settle(&self, key: &KeyOf<$family>, meta: Meta) {
                ${concat(rlvs_settle, $version)}(key, meta.0);
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_is_server, $version)}(packet: *const KeyOf<$family>) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            let packet = unsafe { packet.as_ref() };
            packet.is_some_and(|packet| answers::is_server::<$family, _>(&Maps, packet)) as u32
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_begin, $version)}(tuple: *const Tuple<$family>) -> u64 {
            // SAFETY: the verifier passes null or all of a tuple.
            match unsafe { tuple.as_ref() } {
                Some(tuple) => answer::pack(begin::begin::<$family, _>(&Maps, tuple)),
                None => answer::pack(Err(Reason::Internal)),
            }
        }

        impl Maps {
            /// Begins the connection of a tuple that a stage left in [`Place::Begin`].
            #[inline(always)]
            pub(crate) fn ${concat(begin_left, $version)}(&self) -> Result<u32, Reason> {
                match place::<Tuple<$family>>(Place::Begin) {
                    Some(tuple) => answer::unpack(${concat(rlvs_begin, $version)}(tuple)),
                    None => Err(Reason::Internal),
                }
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_service, $version)}(tuple: *const Tuple<$family>) -> u64 {
            // SAFETY: the verifier passes null or all of a tuple.
            match unsafe { tuple.as_ref() } {
                Some(tuple) => answer::pack(begin::service(&Maps, tuple)),
                None => answer::pack(Err(Reason::Internal)),
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_await_data, $version)}(announced: u64) -> u32 {
            ftp::await_data::<$family, _>(&Maps, Announced(announced)) as u32
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_make_room_for_data, $version)}(announced: u64) -> u32 {
            ftp::make_room::<$family, _>(&Maps, Announced(announced)) as u32
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_recall_announced, $version)}(key: *const KeyOf<$family>) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { key.as_ref() } {
                Some(key) => ftp::recall::<$family, _>(&Maps, key).0,
                None => Outcome::failed(Reason::Internal).0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_begin_data, $version)}(tuple: *const Tuple<$family>) -> u64 {
            // SAFETY: the verifier passes null or all of a tuple.
            match unsafe { tuple.as_ref() } {
                Some(tuple) => ftp::begin::<$family, _>(&Maps, tuple).0,
                None => Outcome::failed(Reason::Internal).0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_arrive, $version)}(key: *const KeyOf<$family>) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            let key = unsafe { key.as_ref() };
            key.and_then(|key| ftp::arrive::<$family, _>(&Maps, key)).is_some() as u32
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_insert, $version)}(key: *const KeyOf<$family>, meta: u64) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { key.as_ref() } {
                Some(key) => table::insert::<$family, _>(&Maps, key, Meta(meta)).0,
                None => Spot::NONE.0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_make_room, $version)}(key: *const KeyOf<$family>) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { key.as_ref() } {
                Some(key) => table::make_room::<$family, _>(&Maps, key) as u32,
                None => 0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_victim, $version)}(key: *const KeyOf<$family>) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { key.as_ref() } {
                Some(key) => table::victim::<$family, _>(&Maps, key).0,
                None => Spot::NONE.0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_hash, $version)}(key: *const KeyOf<$family>, service: u32, members: u64) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            let key = unsafe { key.as_ref() };
            key.and_then(|key| schedule::hash::<$family, _>(&Maps, key, service, Members(members)))
                .unwrap_or(NONE)
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_near, $version)}(key: *const KeyOf<$family>, service: u32, members: u64) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            let key = unsafe { key.as_ref() };
            key.and_then(|key| near::pick::<$family, _>(&Maps, key, service, Members(members)))
                .unwrap_or(NONE)
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_pick_stateless, $version)}(key: *const KeyOf<$family>, service: u32) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            let key = unsafe { key.as_ref() };
            key.and_then(|key| stateless::pick::<$family, _>(&Maps, key, service))
                .unwrap_or(NONE)
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_recall, $version)}(key: *const KeyOf<$family>, call: u64, service: u32) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            let key = unsafe { key.as_ref() };
            key.and_then(|key| template::recall::<$family, _>(&Maps, key, call, service))
                .unwrap_or(NONE)
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_remember, $version)}(key: *const KeyOf<$family>, call: u64, service: u32, destination: u32) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            let key = unsafe { key.as_ref() };
            key.and_then(|key| template::remember::<$family, _>(&Maps, key, call, service, destination))
                .unwrap_or(NONE)
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_keep_call, $version)}(key: *const KeyOf<$family>, call: u64, service: u32) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            let key = unsafe { key.as_ref() };
            key.and_then(|key| template::keep_call::<$family, _>(&Maps, key, call, service))
                .is_some() as u32
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_forget, $version)}(key: *const KeyOf<$family>, destination: u32, assures: u32) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            if let Some(key) = unsafe { key.as_ref() } {
                template::forget::<$family, _>(&Maps, key, destination, assures != 0);
            }
            0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_find, $version)}(key: *const KeyOf<$family>) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { key.as_ref() } {
                Some(key) => table::find_displaced::<$family, _>(&Maps, key).0,
                None => Spot::NONE.0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_find_answered, $version)}(turned: *const KeyOf<$family>) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { turned.as_ref() } {
                Some(turned) => table::find_answered_displaced::<$family, _>(&Maps, turned).0,
                None => Spot::NONE.0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_end, $version)}(key: *const KeyOf<$family>) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            if let Some(key) = unsafe { key.as_ref() } {
                table::end::<$family, _>(&Maps, key);
            }
            0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_take, $version)}(client: *const KeyOf<$family>, destination: u32) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { client.as_ref() } {
                Some(client) => lease::take::<$family, _>(&Maps, client, destination).0,
                None => Taken::failed(Reason::Internal).0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_attempt, $version)}(client: *const KeyOf<$family>, destination: u32, hash: u64) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { client.as_ref() } {
                Some(client) => lease::attempt::<$family, _>(&Maps, client, destination, hash).0,
                None => Taken::failed(Reason::Internal).0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_is_only, $version)}(key: *const KeyOf<$family>, seat: u32) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { key.as_ref() } {
                Some(key) => lease::is_only::<$family, _>(&Maps, key, Seat(seat)) as u32,
                None => 0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_bind, $version)}(client: *const KeyOf<$family>, taken: u64) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { client.as_ref() } {
                Some(client) => lease::bind::<$family, _>(&Maps, client, Taken(taken)).0,
                None => Lease::NONE.0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_give_back, $version)}(
            client: *const KeyOf<$family>,
            destination: u32,
            leased: u32,
        ) -> u32 {
            // SAFETY: the verifier passes null or all of a key.
            if let Some(client) = unsafe { client.as_ref() } {
                lease::give_back::<$family, _>(&Maps, client, destination, Lease(leased));
            }
            0
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_beginning, $version)}(
            client: *const KeyOf<$family>,
            number: u32,
            leased: u32,
            first: u64,
        ) -> u64 {
            let (of, first) = ((number, Lease(leased)), Beginning(first));
            // SAFETY: the verifier passes null or all of a key.
            match unsafe { client.as_ref() } {
                Some(client) => lease::beginning::<$family, _>(&Maps, client, of, first).0,
                None => Beginning::NONE.0,
            }
        }

        #[unsafe(no_mangle)]
        #[inline(never)]
        extern "C" fn ${concat(rlvs_settle, $version)}(key: *const KeyOf<$family>, meta: u64) -> u64 {
            // SAFETY: the verifier passes null or all of a key.
            if let Some(key) = unsafe { key.as_ref() } {
                table::settle::<$family, _>(&Maps, key, Meta(meta));
            }
            0
        }
    };
}

family_tables!(4, V4);
family_tables!(6, V6);

/// A destination or a reason in one register.
mod answer {
    use rlvs_engine::Reason;

    const FAILED: u64 = 1 << 32;

    #[inline(always)]
    pub(super) fn pack(answer: Result<u32, Reason>) -> u64 {
        match answer {
            Ok(destination) => destination as u64,
            Err(reason) => FAILED | reason as u64,
        }
    }

    #[inline(always)]
    pub(super) fn unpack(answer: u64) -> Result<u32, Reason> {
        if answer & FAILED == 0 {
            Ok(answer as u32)
        } else {
            Err(Reason::from_bits(answer as u8))
        }
    }
}
