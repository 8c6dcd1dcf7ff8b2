//! Memory as one of several CPUs has it.

use std::ops::ControlFlow;

use rlvs_engine::call_id::CallId;
use rlvs_engine::connection::Bucket;
use rlvs_engine::destination::{Destination, Load};
use rlvs_engine::fragment::{Draft, Trail};
use rlvs_engine::lease::Local;
use rlvs_engine::locality::{Locality, Site};
use rlvs_engine::memory::Memory;
use rlvs_engine::reason::{Event, ROOM, Reason};
use rlvs_engine::service::{Service, ServiceKey};
use rlvs_engine::settings::Settings;
use rlvs_engine::statistics::{Counters, bump};
use rlvs_engine::{Family, FamilyTables, Tables, V4, V6};
use rlvs_word::Shared64;

/// All but counters is shared.
pub(crate) struct Cpu<'m> {
    pub(crate) memory: &'m Memory,
    pub(crate) counters: Vec<Counters>,
    pub(crate) reasons: Vec<Shared64>,
}

impl<'m> Cpu<'m> {
    pub(crate) fn new(memory: &'m Memory) -> Self {
        let counters = memory
            .destinations
            .iter()
            .map(|_| Counters::default())
            .collect();
        let reasons = (0..ROOM).map(|_| Shared64::default()).collect();
        Self {
            memory,
            counters,
            reasons,
        }
    }
}

impl Tables for Cpu<'_> {
    fn now(&self) -> u32 {
        self.memory.now()
    }

    fn settings(&self) -> Option<&Settings> {
        self.memory.settings()
    }

    fn filter(&self, word: u32) -> Option<&Shared64> {
        self.memory.filter(word)
    }

    fn interface(&self, slot: u32) -> Option<&Shared64> {
        self.memory.interface(slot)
    }

    fn locality(&self, site: &Site) -> Option<&Locality> {
        self.memory.locality(site)
    }

    fn call_id(&self) -> Option<&CallId> {
        self.memory.call_id()
    }

    fn keep_call_id(&self, call: u64) {
        self.memory.keep_call_id(call);
    }

    fn service_at(&self, number: u32) -> Option<&Service> {
        self.memory.service_at(number)
    }

    fn destination(&self, number: u32) -> Option<&Destination> {
        self.memory.destination(number)
    }

    fn load(&self, destination: u32) -> Option<&Load> {
        self.memory.load(destination)
    }

    fn local(&self, number: u32) -> Option<&Local> {
        self.memory.local(number)
    }

    fn node(&self, index: u32) -> Option<&Shared64> {
        self.memory.node(index)
    }

    fn counters(&self, _: &Settings, destination: u32) -> Option<&Counters> {
        self.counters.get(destination as usize)
    }

    fn count(&self, reason: Reason) {
        bump(&self.reasons[reason as usize], 1);
    }

    fn note(&self, event: Event) {
        bump(&self.reasons[event as usize], 1);
    }

    fn repeat<S: FnMut(u32) -> ControlFlow<()>>(&self, times: u32, step: S) {
        self.memory.repeat(times, step);
    }
}

macro_rules! family_tables {
    ($family:ty) => {
        impl FamilyTables<$family> for Cpu<'_> {
            fn bucket(&self, index: u32) -> Option<&Bucket<<$family as Family>::Key>> {
                FamilyTables::<$family>::bucket(self.memory, index)
            }

            fn displaced(&self, bucket: u32) -> Option<&Shared64> {
                FamilyTables::<$family>::displaced(self.memory, bucket)
            }

            fn service(&self, key: &ServiceKey<<$family as Family>::Address>) -> Option<u32> {
                FamilyTables::<$family>::service(self.memory, key)
            }

            fn draft(&self) -> Option<&Draft<$family>> {
                FamilyTables::<$family>::draft(self.memory)
            }

            fn trail(&self, draft: &Draft<$family>) -> Option<&Trail> {
                FamilyTables::<$family>::trail(self.memory, draft)
            }

            fn lay(&self, draft: &Draft<$family>) {
                FamilyTables::<$family>::lay(self.memory, draft);
            }
        }
    };
}

family_tables!(V4);
family_tables!(V6);
