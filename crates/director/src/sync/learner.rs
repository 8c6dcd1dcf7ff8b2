//! What is told becomes entries of the connection tables.
//!
//! They are made and changed by the code that packets use, so counts are right and packets may come at
//! any moment. Nothing that is told ends a connection that lives here, and one whose packets come here
//! is not changed by it: what is seen is newer than what is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rlvs_engine::call;
use rlvs_engine::connection::Meta;
use rlvs_engine::family::Endpoints;
use rlvs_engine::forward::Method;
use rlvs_engine::lease::{Beginning, FIRST_PORT, Lease};
use rlvs_engine::service::Service;
use rlvs_engine::settings::{TICK_SHIFT, elapsed, ticks};
use rlvs_engine::table::{self, Entry as Found, Seat, Unlearned, slot_at};
use rlvs_engine::tables::{Context, KeyOf};
use rlvs_engine::template;
use rlvs_engine::tuple::Packet;
use rlvs_engine::{FamilyTables, V4, V6};
use rlvs_plane::Store;
use rlvs_sync::receiver::{Action, Entry, Held};
use rlvs_sync::{Addresses, Ends, Flags, LocalEnd, Record};

use super::counts::Counts;
use super::memory::{Known, Memory};
use super::places::Places;
use super::portrait::{Sight, look, timeout};
use super::{state, teller};
use crate::installed::destination_key;

/// Longer nothing lasts by what is told, and so half of what ticks can count.
const LONGEST: Duration = Duration::from_secs(12 * 86_400);
/// A connection with a packet no longer ago than this is one of packets that come here.
const PRESENT: u32 = ticks(3);
/// What comes back from who was told it is that much younger: the time it took.
const SLACK: u32 = ticks(1);

#[derive(Debug)]
pub(super) struct Learner<T> {
    tables: Arc<T>,
    memory: Arc<Memory>,
    counts: Arc<Counts>,
    /// Counts changes of services and destinations.
    changes: Arc<AtomicU64>,
    /// As many of them as `places` knows.
    known: u64,
    places: Places,
    /// What is told has its time, and the later news counts; else what is seen here does.
    compares: bool,
    /// Of others who hear it from where it is from.
    others: Vec<Arc<Memory>>,
    waiting: super::waiting::Waiting,
}

/// What becomes of something that was told.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    Taken,
    /// Its destination is not known here.
    Waits,
    Dropped(&'static str),
}

use Outcome::{Dropped, Taken, Waits};

/// Where something that was told goes.
#[derive(Clone, Copy, Debug)]
struct Place {
    /// Of its destination.
    number: u32,
    /// Templates of its service are by SIP's Call-ID.
    is_by_call: bool,
    /// By full NAT: what stands for its client, as a number here and as it was told.
    leased: Option<(Lease, LocalEnd)>,
}

/// What was told, as the tables have it.
#[derive(Clone, Copy, Debug)]
struct News {
    meta: Meta,
    seen: u32,
    leased: Option<(Lease, LocalEnd)>,
}

impl<T: Store> Learner<T> {
    pub(super) fn new(
        tables: Arc<T>,
        memory: Arc<Memory>,
        counts: Arc<Counts>,
        changes: Arc<AtomicU64>,
    ) -> Self {
        let known = changes.load(Ordering::Acquire);
        Self {
            places: Places::of(&*tables),
            tables,
            memory,
            counts,
            changes,
            known,
            compares: false,
            others: Vec::new(),
            waiting: Default::default(),
        }
    }

    /// For what is told with the time of its last packet; `others` are told it as well.
    pub(super) fn comparing(self, others: Vec<Arc<Memory>>) -> Self {
        Self {
            compares: true,
            others,
            ..self
        }
    }

    /// Takes what was told, its last packet having been `idle` ticks ago.
    pub(super) fn hear(&mut self, record: Record, idle: u32, now: Instant) {
        self.follow(now);
        let outcome = match Entry::try_from(record) {
            Ok(entry) => self.take(entry, idle, now),
            Err(reason) => Dropped(reason.name()),
        };
        match outcome {
            Taken => self.counts.records.add(1),
            Waits => {}
            Dropped(reason) => self.counts.drop_for(reason, 1),
        }
        self.counts.waiting.set(self.waiting.len() as u64);
    }

    /// Looks whether what is waited for has come: to be called now and then.
    pub(super) fn follow(&mut self, now: Instant) {
        let changes = self.changes.load(Ordering::Acquire);
        if changes == self.known {
            return;
        }
        self.known = changes;
        self.places = Places::of(&*self.tables);
        for (entry, idle, waited) in self.waiting.take(now) {
            let waited = (waited.as_nanos() >> TICK_SHIFT) as u32;
            match self.take(entry, idle.saturating_add(waited), now) {
                Taken => self.counts.records.add(1),
                Waits => {}
                Dropped(reason) => self.counts.drop_for(reason, 1),
            }
        }
        self.counts.waiting.set(self.waiting.len() as u64);
    }

    /// Lets go of what has waited for too long.
    pub(super) fn age(&mut self, now: Instant) {
        self.waiting.age(now);
        self.counts.waiting.set(self.waiting.len() as u64);
    }

    fn take(&mut self, entry: Entry, idle: u32, now: Instant) -> Outcome {
        let record = entry.record();
        if record.flags.has(Flags::NO_CLIENT_PORT) {
            return Dropped("no-client-port");
        }
        // They are followed nowhere here: the two sides would not understand each other.
        let moved = record.sequences.is_some_and(|it| {
            [it.inward, it.outward]
                .iter()
                .any(|it| it.delta != 0 || it.previous_delta != 0)
        });
        if moved {
            return Dropped("sequence-numbers-moved");
        }
        if record.local.is_some() && !self.is_of_peers() {
            // Whoever reaches the group could take them all.
            return Dropped("other-method");
        }
        if record.across.is_some() && !self.is_of_peers() {
            return Dropped("other-ip-version");
        }
        if record
            .local
            .is_some_and(|end| !is_fit(&end, &record.addresses))
        {
            return Dropped("local-end-unfit");
        }
        let Some(place) = self.place(&entry) else {
            let lasts = entry.lasts(|state| self.by_state(state), LONGEST);
            return match self.waiting.keep(entry, idle, lasts, now) {
                true => Waits,
                false => Dropped("too-many-wait"),
            };
        };
        if record.engine.is_some() && !(entry.state().is_template() && place.is_by_call) {
            return Dropped("persistence-engine");
        }
        if self.is_leased(place.number) != record.local.is_some() && !entry.state().is_template() {
            return Dropped("other-method");
        }
        match record.addresses {
            Addresses::V4(ends) => {
                let ends = octets(ends, |it| it.octets());
                self.enter::<V4>(&entry, ends, place, idle)
            }
            Addresses::V6(ends) => {
                let ends = octets(ends, |it| it.octets());
                self.enter::<V6>(&entry, ends, place, idle)
            }
        }
    }

    /// Where it goes here, as soon as all is known that it needs.
    fn place(&self, entry: &Entry) -> Option<Place> {
        let number = self.places.find(&*self.tables, entry)?;
        let leased = match entry.record().local {
            Some(end) => {
                let local = self.places.local(&*self.tables, end.address)?;
                Some((Lease::new(local, end.port), end))
            }
            None => None,
        };
        let service = self.service(number);
        Some(Place {
            number,
            is_by_call: service.is_some_and(|it| it.is(Service::BY_CALL)),
            leased,
        })
    }

    fn service(&self, destination: u32) -> Option<&Service> {
        let record = self.tables.destination(destination)?;
        self.tables.service_at(record.service.load())
    }

    fn is_leased(&self, destination: u32) -> bool {
        let record = self.tables.destination(destination);
        record.is_some_and(|it| it.method() == Method::FullNat)
    }

    fn by_state(&self, state: rlvs_sync::State) -> Duration {
        let settings = self.tables.settings();
        let ticks = settings.map_or(0, |it| it.timeout(state::learned(state)));
        Duration::from_nanos(u64::from(ticks) << TICK_SHIFT)
    }

    fn enter<F: Packet>(
        &self,
        entry: &Entry,
        [client, virtual_address]: [F::Address; 2],
        place: Place,
        idle: u32,
    ) -> Outcome
    where
        T: FamilyTables<F>,
    {
        let Some(context) = Context::new(&*self.tables) else {
            return Dropped("no-tables");
        };
        let record = entry.record();
        let key = F::key(&Endpoints {
            client,
            virtual_address,
            client_port: record.ports.client.to_be_bytes(),
            virtual_port: record.ports.virtual_port.to_be_bytes(),
            protocol: record.protocol,
        });
        let key = match (&record.engine, self.service(place.number)) {
            (Some(engine), Some(service)) => {
                let call = call::told(&*self.tables, engine.data());
                let key = template::key::<F>(service, &key, call);
                // It is remembered here without, too, but could not be told on.
                let (of, client) = (template::call::<F>(&key), F::octets(client));
                let _ = self.tables.learn_call_id(of, engine.data(), client);
                key
            }
            _ => key,
        };
        let told = match place.leased {
            Some((_, end)) if end.is_told => Meta::TOLD,
            _ => 0,
        };
        let state = state::learned(entry.state());
        let meta = Meta::new(place.number, state, Meta::LEARNED | told);
        let news = News {
            meta,
            seen: self.seen(context, entry, meta, idle),
            leased: place.leased,
        };
        let found = table::locate::<F, T>(&*self.tables, &key, false, Seat::NONE);
        match found.and_then(|seat| self.live::<F>(context, seat)) {
            None => self.begin::<F>(&key, &news),
            Some((seat, sight)) if self.is_news::<F>(context, seat, &sight, idle) => {
                self.meet::<F>(entry, seat, &sight, &news)
            }
            Some(_) => Dropped("known-better-here"),
        }
    }

    /// When its last packet must have been, for it to last as long as was told by the timeouts here.
    fn seen(&self, context: Context<'_, T>, entry: &Entry, meta: Meta, idle: u32) -> u32 {
        let lasts = entry.lasts(|state| self.by_state(state), LONGEST);
        let lasts = (lasts.as_nanos() >> TICK_SHIFT) as u32;
        let here = timeout(context, meta);
        let idle = idle.min(lasts);
        context
            .now
            .wrapping_sub(idle)
            .wrapping_add(lasts.wrapping_sub(here))
    }

    /// What lies there, unless its time is over, and so it goes.
    fn live<F: Packet>(
        &self,
        context: Context<'_, T>,
        seat: Seat,
    ) -> Option<(Seat, Sight<KeyOf<F>>)>
    where
        T: FamilyTables<F>,
    {
        let slot = slot_at::<F, T>(&*self.tables, seat)?;
        let sight = look::<F, T>(context, slot)?;
        let found = Found {
            slot,
            meta: sight.meta,
        };
        if table::is_over(context, found, 0) {
            table::release::<F, T>(&*self.tables, found);
            return None;
        }
        Some((seat, sight))
    }

    fn begin<F: Packet>(&self, key: &KeyOf<F>, news: &News) -> Outcome
    where
        T: FamilyTables<F>,
    {
        let (tables, meta, seen) = (&*self.tables, news.meta, news.seen);
        let learned = match news.leased {
            Some((lease, end)) => {
                table::learn_leased::<F, T>(tables, key, meta, seen, (lease, end.begins))
            }
            None => table::learn::<F, T>(tables, key, meta, seen).ok_or(Unlearned::Full),
        };
        match learned {
            Ok(seat) => {
                self.remember::<F>(seat);
                Taken
            }
            Err(Unlearned::Full) => Dropped("table-full"),
            Err(Unlearned::LocalEndTaken) => Dropped("local-end-taken"),
        }
    }

    fn meet<F: Packet>(
        &self,
        entry: &Entry,
        seat: Seat,
        sight: &Sight<KeyOf<F>>,
        news: &News,
    ) -> Outcome
    where
        T: FamilyTables<F>,
    {
        // The real server knows one of the two local ends: that of the director that saw it last. Where
        // its stream begins elsewhere, the client has had its port again.
        let is_moved = news.leased.is_some_and(|(lease, end)| {
            lease != sight.lease() || self.begins::<F>(sight) != Some(end.begins)
        });
        match entry.meets(self.held::<F>(sight).as_ref()) {
            Action::Ignore => Dropped("ended-elsewhere"),
            Action::Update if !is_moved => {
                let (seen, state) = (news.seen, news.meta.state());
                match table::relearn::<F, T>(&*self.tables, seat, sight.meta, state, seen) {
                    true => {
                        self.remember::<F>(seat);
                        Taken
                    }
                    false => Dropped("known-better-here"),
                }
            }
            Action::Begin | Action::Replace | Action::Update => {
                if let Some(slot) = slot_at::<F, T>(&*self.tables, seat) {
                    let found = Found {
                        slot,
                        meta: sight.meta,
                    };
                    table::release::<F, T>(&*self.tables, found);
                }
                self.begin::<F>(&sight.key, news)
            }
        }
    }

    /// Where the stream of a connection by full NAT begins here.
    fn begins<F: Packet>(&self, sight: &Sight<KeyOf<F>>) -> Option<u32>
    where
        T: FamilyTables<F>,
    {
        let of = (sight.meta.destination(), sight.lease());
        let there = FamilyTables::<F>::beginning(&*self.tables, &sight.key, of, Beginning::NONE);
        there.sequence()
    }

    /// Whether what is heard is from known directors, and not from whoever reaches the group.
    fn is_of_peers(&self) -> bool {
        self.compares
    }

    /// Whether what is told of an entry counts. It does if the entry is as it was told last; if packets
    /// have come here since, theirs are the later news. Without the time of its last packet it does if
    /// there was none here for a while, and of templates always: they are used by none.
    fn is_news<F: Packet>(
        &self,
        context: Context<'_, T>,
        seat: Seat,
        sight: &Sight<KeyOf<F>>,
        idle: u32,
    ) -> bool {
        let known = self.memory.load(F::INDEX, seat);
        let is_as_told = known.is_learned()
            && known.is_of(teller::tag::<F>(sight))
            && known.ends() == sight.ends();
        let idle_here = elapsed(context.now, sight.seen);
        is_as_told
            || match self.compares {
                true => idle_here > idle.saturating_add(SLACK),
                false => sight.meta.state().is_template() || idle_here >= PRESENT,
            }
    }

    fn held<F: Packet>(&self, sight: &Sight<KeyOf<F>>) -> Option<Held> {
        let record = self.tables.destination(sight.meta.destination())?;
        let port = record.port_for(F::endpoints(&sight.key).virtual_port);
        let address = destination_key(record).address;
        Some(Held {
            destination: SocketAddr::new(address, u16::from_be_bytes(port)),
        })
    }

    /// Notes that others know what lies there: this director does not tell it until packets come.
    fn remember<F: Packet>(&self, seat: Seat)
    where
        T: FamilyTables<F>,
    {
        let slot = slot_at::<F, T>(&*self.tables, seat);
        let context = Context::new(&*self.tables);
        if let (Some(slot), Some(context)) = (slot, context)
            && let Some(sight) = look::<F, T>(context, slot)
        {
            let known = Known::new(teller::tag::<F>(&sight), sight.meta.state(), sight.ends());
            for memory in self.others.iter().chain([&self.memory]) {
                memory.store(F::INDEX, seat, known.learned());
            }
        }
    }
}

/// Whether it is one that directors give.
fn is_fit(end: &LocalEnd, addresses: &Addresses) -> bool {
    end.port >= FIRST_PORT && end.address.is_ipv4() == matches!(addresses, Addresses::V4(_))
}

/// Client and virtual address.
fn octets<A: Copy, O>(ends: Ends<A>, octets: impl Fn(&A) -> O) -> [O; 2] {
    [octets(&ends.client), octets(&ends.virtual_address)]
}
