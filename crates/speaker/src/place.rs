//! Addresses, routes and rules that come when an instance becomes master, and go when it is no
//! longer. What was there before stays.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use rlvs_host::Error;
use rlvs_host::address::{self, AddressFlags, Handle, Interface, Setting};
use rlvs_host::store::Store;

use crate::closed::{self, Closed, Served};
use crate::gone::{Gone, leads_to};
use crate::note::{NOBODY, Note, Put, Remembered, Thing};
use crate::plan::{Instance, Ipvlan, Place, Placement, StaticGroup, Vmac};
use crate::words::{self, Added};
use crate::{ipvlan, vmac};

/// What does it.
pub(crate) struct Placer {
    store: Store<Note>,
    note: Note,
    /// What masters have.
    held: BTreeMap<String, Arc<Placement>>,
    /// Routes and rules that are there, as far as is known: it is not looked.
    set: Vec<Put>,
    /// What is to be no more, and could not be taken away.
    owed: Vec<Put>,
    closed: Closed,
    /// What is closed was said: before, it is as the last daemon has left it.
    followed: bool,
}

/// The kernel, and what it has.
struct Seen {
    handle: Handle,
    interfaces: Vec<Interface>,
}

impl Seen {
    async fn now() -> Result<Self, Error> {
        let handle = address::connect()?;
        let interfaces = address::interfaces(&handle).await?;
        Ok(Self { handle, interfaces })
    }
}

impl Placer {
    pub(crate) fn new(store: Store<Note>, note: Note) -> Self {
        Self {
            store,
            note,
            held: BTreeMap::new(),
            set: Vec::new(),
            owed: Vec::new(),
            closed: Closed::default(),
            followed: false,
        }
    }

    /// Makes what an instance has put here this; what cannot be.
    pub(crate) async fn acquire(
        &mut self,
        instance: &str,
        placement: &Arc<Placement>,
    ) -> Vec<String> {
        self.held.insert(instance.to_owned(), placement.clone());
        // Before the addresses are there.
        self.closed.hold(instance, placement);
        let unclosed = self.close().await.filter(|_| placement.closed);
        let outcome = match Seen::now().await {
            Ok(seen) => self.put_all(&seen, instance, placement).await,
            Err(error) => Err(error),
        };
        let mut problems = outcome.unwrap_or_else(|error| vec![error.to_string()]);
        problems.extend(unclosed);
        problems
    }

    /// From now on it is known what is to be closed.
    pub(crate) fn followed(&mut self) {
        self.followed = true;
    }

    /// What virtual services there are.
    pub(crate) async fn serve(&mut self, served: Vec<Served>) {
        self.closed.serve(served);
        if let Some(problem) = self.close().await {
            tracing::warn!("VRRP: {problem}");
        }
    }

    /// Makes the table of what is closed what it should be; what cannot be.
    async fn close(&mut self) -> Option<String> {
        let table = Put {
            instance: NOBODY.to_owned(),
            thing: Thing::Table(closed::TABLE.to_owned()),
        };
        let is_there = self.note.put.contains(&table);
        let needed = is_there || !self.closed.is_empty();
        if !self.followed || !needed || !self.closed.is_another() {
            return None;
        }
        let made = match self.note_all(vec![table.clone()]) {
            Ok(()) => self.closed.make().await,
            Err(error) => Err(error.to_string()),
        };
        if let Err(problem) = made {
            return Some(format!("packets to its addresses are taken: {problem}"));
        }
        if self.closed.is_empty() {
            let struck = self.strike(|put| *put == table);
            return struck.err().map(|error| error.to_string());
        }
        None
    }

    /// Takes away what an instance has put here.
    pub(crate) async fn release(&mut self, instance: &str) -> Result<(), Error> {
        self.held.remove(instance);
        let taken = self
            .take_if(|put| put.instance == instance && !put.thing.stays())
            .await;
        self.open(instance).await;
        taken
    }

    /// Takes away all that is here for it.
    pub(crate) async fn remove(&mut self, instance: &str) -> Result<(), Error> {
        self.held.remove(instance);
        let taken = self.take_if(|put| put.instance == instance).await;
        self.open(instance).await;
        taken
    }

    /// Its addresses have gone.
    async fn open(&mut self, instance: &str) {
        self.closed.release(instance);
        if let Some(problem) = self.close().await {
            tracing::warn!("VRRP: {problem}");
        }
    }

    /// Whether an instance has what it has whether it is master or not: interfaces may have gone, and
    /// come again without it.
    pub(crate) fn is_made(&self, instance: &Instance, interfaces: &[Interface]) -> bool {
        let is_there = |name: &String| interfaces.iter().any(|it| it.name == *name);
        let mut vmacs = instance.vmac.iter().chain(&instance.address_vmacs);
        vmacs.all(|it| is_there(&it.name) && vmac::is_quiet(&it.parent))
            && instance.ipvlan.iter().all(|it| is_there(&it.name))
            && instance.promotes.iter().all(|it| !keeps_none(it))
    }

    /// Makes what an instance has whether it is master or not; what cannot be.
    pub(crate) async fn make(&mut self, instance: &Instance) -> Vec<String> {
        let mut problems = Vec::new();
        let name = &instance.name;
        for vmac in instance.vmac.iter().chain(&instance.address_vmacs) {
            problems.extend(self.make_vmac(name, vmac).await.err());
        }
        if let Some(ipvlan) = &instance.ipvlan {
            problems.extend(self.make_ipvlan(name, ipvlan).await.err());
        }
        for interface in &instance.promotes {
            problems.extend(self.promote(name, interface).err());
        }
        problems.iter().map(ToString::to_string).collect()
    }

    async fn make_vmac(&mut self, instance: &str, vmac: &Vmac) -> Result<(), Error> {
        let seen = Seen::now().await?;
        let is_new = seen.interfaces.iter().all(|it| it.name != vmac.name);
        self.note_of(instance, vmac::things(vmac, is_new))?;
        vmac::make(&seen.handle, vmac, &seen.interfaces).await
    }

    async fn make_ipvlan(&mut self, instance: &str, ipvlan: &Ipvlan) -> Result<(), Error> {
        let seen = Seen::now().await?;
        let is_new = seen.interfaces.iter().all(|it| it.name != ipvlan.name);
        self.note_of(instance, ipvlan::things(ipvlan, is_new))?;
        ipvlan::make(&seen.handle, ipvlan, &seen.interfaces).await?;
        let Some((address, length)) = ipvlan.address else {
            return Ok(());
        };
        let seen = Seen::now().await?;
        let Some(on) = seen.interfaces.iter().find(|it| it.name == ipvlan.name) else {
            return Ok(());
        };
        let own = Thing::Own {
            address,
            length,
            interface: ipvlan.name.clone(),
        };
        self.note_of(instance, vec![own])?;
        let setting = Setting {
            address,
            length,
            peer: None,
            broadcast: None,
            label: None,
            scope: 0,
            preferred: None,
            flags: AddressFlags::empty(),
        };
        address::put(&seen.handle, &setting, on).await.map(drop)
    }

    /// Other addresses of an interface stay when the first one of their network goes.
    fn promote(&mut self, instance: &str, interface: &str) -> Result<(), Error> {
        let path = promotes(interface);
        let failed = |error| Error::io(format!("setting {path}"), error);
        let before = std::fs::read_to_string(&path).map_err(failed)?;
        let before = before.trim().to_owned();
        if before != "0" {
            return Ok(());
        }
        let setting = Thing::Setting {
            path: path.clone(),
            before,
        };
        self.note_of(instance, vec![setting])?;
        std::fs::write(&path, "1").map_err(failed)
    }

    fn note_of(&mut self, instance: &str, things: Vec<Thing>) -> Result<(), Error> {
        let put = |thing| Put {
            instance: instance.to_owned(),
            thing,
        };
        self.note_all(things.into_iter().map(put).collect())
    }

    async fn take_if(&mut self, is_its: impl Fn(&Put) -> bool) -> Result<(), Error> {
        let gone: Vec<_> = self
            .note
            .put
            .iter()
            .filter(|it| is_its(it))
            .cloned()
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        self.take(gone).await
    }

    /// What cannot be taken away is tried again.
    async fn take(&mut self, gone: Vec<Put>) -> Result<(), Error> {
        let (kept, problem) = match take_all(&gone).await {
            Ok(outcome) => outcome,
            Err(error) => (gone.clone(), Some(error)),
        };
        let struck = self.strike(|put| gone.contains(put) && !kept.contains(put));
        self.owed.retain(|put| !gone.contains(put));
        self.owed.extend(kept);
        struck?;
        problem.map_or(Ok(()), Err)
    }

    /// Puts back what has gone of masters; what cannot be, by instance.
    pub(crate) async fn again(&mut self) -> Vec<(String, Vec<String>)> {
        self.closed.look().await;
        let unclosed = self.close().await;
        let mut all = self.take_owed().await;
        if self.held.is_empty() {
            return all;
        }
        let seen = match Seen::now().await {
            Ok(seen) => seen,
            Err(error) => {
                let failed = |name: &String| (name.clone(), vec![error.to_string()]);
                return self.held.keys().map(failed).collect();
            }
        };
        for (instance, placement) in self.held.clone() {
            let outcome = self.put_all(&seen, &instance, &placement).await;
            let mut problems = outcome.unwrap_or_else(|error| vec![error.to_string()]);
            problems.extend(unclosed.clone().filter(|_| placement.closed));
            all.push((instance, problems));
        }
        all
    }

    /// What was to be no more is taken away if it can be now; what cannot be, by instance.
    async fn take_owed(&mut self) -> Vec<(String, Vec<String>)> {
        let mut all = Vec::new();
        let mut owed = core::mem::take(&mut self.owed);
        while let Some(first) = owed.first() {
            let instance = first.instance.clone();
            let is_its = |put: &Put| put.instance == instance;
            let (its, others) = owed.into_iter().partition(is_its);
            owed = others;
            let problem = self.take(its).await.err();
            let problems = problem.iter().map(ToString::to_string).collect();
            all.push((instance, problems));
        }
        all
    }

    /// Routes and rules may have gone: those that are there are not set twice.
    pub(crate) fn doubt(&mut self) {
        self.set.clear();
    }

    /// Whether that may be something of ours.
    pub(crate) fn misses(&self, gone: Gone) -> bool {
        let mut all = self.held.values();
        match gone {
            Gone::Rule => all.any(|it| !it.rules.is_empty()),
            Gone::Below => all.any(|it| !it.routes.is_empty()),
            Gone::Anything => all.any(|it| !it.routes.is_empty() || !it.rules.is_empty()),
            Gone::Route(there) => all.any(|it| it.routes.iter().any(|it| leads_to(it, there))),
        }
    }

    /// Whether all routes and rules of a group are there, as far as is known.
    pub(crate) fn has_set(&self, group: &StaticGroup) -> bool {
        let put = |thing| Put {
            instance: NOBODY.to_owned(),
            thing,
        };
        let routes = group.routes.iter().cloned().map(Thing::Route);
        let mut all = routes.chain(group.rules.iter().cloned().map(Thing::Rule));
        all.all(|thing| self.set.contains(&put(thing)))
    }

    pub(crate) fn remember(&mut self, instance: &str, remembered: Remembered) -> Result<(), Error> {
        self.note.remembered.insert(instance.to_owned(), remembered);
        self.store.save(&self.note)
    }

    pub(crate) fn forget(&mut self, instance: &str) -> Result<(), Error> {
        match self.note.remembered.remove(instance) {
            Some(_) => self.store.save(&self.note),
            None => Ok(()),
        }
    }

    async fn put_all(
        &mut self,
        seen: &Seen,
        instance: &str,
        placement: &Placement,
    ) -> Result<Vec<String>, Error> {
        let others = self.take_others(instance, placement).await;
        let mut problems: Vec<_> = others.err().iter().map(ToString::to_string).collect();
        let mut missing = Vec::new();
        for place in &placement.addresses {
            match seen.interfaces.iter().find(|it| it.name == place.interface) {
                Some(on) if !place.setting.is_on(on) => missing.push((place, on)),
                Some(_) => {}
                None => problems.push(format!(
                    "{place}: there is no interface {}",
                    place.interface
                )),
            }
        }
        let put_of = |thing: Thing| Put {
            instance: instance.to_owned(),
            thing,
        };
        let words = words_of(placement).map(put_of);
        let words: Vec<_> = words.filter(|put| !self.set.contains(put)).collect();
        let is_new = |put: &&Put| !self.note.put.contains(put);
        let mut others: Vec<_> = words.iter().filter(is_new).cloned().collect();
        let addresses = missing.iter().map(|(place, _)| put_of(thing(place)));
        self.note_all(addresses.chain(words.iter().cloned()).collect())?;
        for (place, on) in missing {
            if let Err(error) = put(&seen.handle, place, on).await {
                problems.push(error.to_string());
            }
        }
        for put in words {
            match words::add(&put.thing).await {
                Ok(Added::Now) => {
                    others.retain(|other| *other != put);
                    self.set.push(put);
                }
                Ok(Added::Before) => self.set.push(put),
                Err(problem) => problems.push(problem),
            }
        }
        // They stay when the rest goes: others have set them.
        if !others.is_empty() {
            self.note.put.retain(|put| !others.contains(put));
            self.store.save(&self.note)?;
        }
        Ok(problems)
    }

    /// What it had put here and is to have no more.
    async fn take_others(&mut self, instance: &str, placement: &Placement) -> Result<(), Error> {
        let wanted: Vec<_> = placement
            .addresses
            .iter()
            .map(thing)
            .chain(words_of(placement))
            .collect();
        self.owed
            .retain(|put| put.instance != instance || !wanted.contains(&put.thing));
        self.take_if(|put| {
            put.instance == instance && !wanted.contains(&put.thing) && !put.thing.stays()
        })
        .await
    }

    /// Writes down what is about to be put here, before it is.
    fn note_all(&mut self, all: Vec<Put>) -> Result<(), Error> {
        let new = all.into_iter().filter(|it| !self.note.put.contains(it));
        let new: Vec<_> = new.collect();
        if new.is_empty() {
            return Ok(());
        }
        self.note.put.extend(new);
        self.store.save(&self.note)
    }

    /// These are there no longer.
    fn strike(&mut self, is_gone: impl Fn(&Put) -> bool) -> Result<(), Error> {
        self.note.put.retain(|put| !is_gone(put));
        self.set.retain(|put| !is_gone(put));
        self.store.save(&self.note)
    }
}

/// Takes these away, all that can be; they need not be there. Those that could not, and why.
pub(crate) async fn take_all(put: &[Put]) -> Result<(Vec<Put>, Option<Error>), Error> {
    let (mut kept, mut problem) = (Vec::new(), None);
    if put.is_empty() {
        return Ok((kept, problem));
    }
    let handle = address::connect()?;
    let interfaces = address::interfaces(&handle).await?;
    for one in put.iter().rev() {
        if let Err(error) = take(&handle, one, &interfaces).await {
            kept.insert(0, one.clone());
            problem.get_or_insert(error);
        }
    }
    Ok((kept, problem))
}

async fn take(
    handle: &Handle,
    Put { thing, instance }: &Put,
    interfaces: &[Interface],
) -> Result<(), Error> {
    let failed = |problem| Error::io(format!("removing {thing}"), io::Error::other(problem));
    let (address, at_end, interface) = match thing {
        Thing::Address {
            address,
            length,
            peer,
            interface,
        } => (*address, peer.unwrap_or((*address, *length)), interface),
        Thing::Own {
            address,
            length,
            interface,
        } => (*address, (*address, *length), interface),
        Thing::Link(name) => {
            vmac::remove(handle, name, interfaces).await?;
            tracing::info!(instance, interface = name, "taken away");
            return Ok(());
        }
        Thing::Setting { path, before } => {
            // Its interface may have gone.
            if let Err(error) = std::fs::write(path, before) {
                tracing::debug!(path, %error, "not set back");
            }
            return Ok(());
        }
        Thing::Table(name) => {
            closed::remove().await.map_err(failed)?;
            tracing::info!(table = name, "taken away");
            return Ok(());
        }
        Thing::Route(_) | Thing::Rule(_) => {
            return words::delete(thing).await.map_err(failed);
        }
    };
    if let Some(from) = interfaces.iter().find(|it| it.name == *interface) {
        address::take(handle, address, at_end, from).await?;
        tracing::info!(instance, address = %thing, "taken away");
    }
    Ok(())
}

async fn put(handle: &Handle, place: &Place, on: &Interface) -> Result<(), Error> {
    if address::put(handle, &place.setting, on).await? {
        tracing::info!(address = %place, interface = on.name, "put there");
    }
    Ok(())
}

fn thing(place: &Place) -> Thing {
    Thing::Address {
        address: place.setting.address,
        length: place.setting.length,
        peer: place.setting.peer,
        interface: place.interface.clone(),
    }
}

fn words_of(placement: &Placement) -> impl Iterator<Item = Thing> {
    let routes = placement.routes.iter().cloned().map(Thing::Route);
    routes.chain(placement.rules.iter().cloned().map(Thing::Rule))
}

fn promotes(interface: &str) -> String {
    format!("/proc/sys/net/ipv4/conf/{interface}/promote_secondaries")
}

/// Other addresses of its networks go with the first; false as well where there is no interface.
fn keeps_none(interface: &str) -> bool {
    std::fs::read_to_string(promotes(interface)).is_ok_and(|value| value.trim() == "0")
}
