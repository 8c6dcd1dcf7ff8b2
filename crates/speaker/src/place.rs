//! Addresses, routes and rules that come when an instance becomes master, and go when it is no
//! longer. What was there before stays.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use rlvs_host::Error;
use rlvs_host::address::{self, AddressFlags, Handle, Interface, Setting};
use rlvs_host::store::Store;
use tokio::process::Command;
use tokio::time::timeout;

use crate::closed::{self, Closed, Served};
use crate::gone::{Gone, leads_to};
use crate::note::{NOBODY, Note, Put, Remembered, Thing};
use crate::plan::{Instance, Ipvlan, Place, Placement, StaticGroup, Vmac};
use crate::{ipvlan, vmac};

/// How long `ip` may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What does it.
pub(crate) struct Placer {
    store: Store<Note>,
    note: Note,
    /// What masters have.
    held: BTreeMap<String, Arc<Placement>>,
    /// Routes and rules that are there, as far as is known: it is not looked.
    set: Vec<Put>,
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

/// Whether `ip` adds or deletes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Add,
    Delete,
}

impl Placer {
    pub(crate) fn new(store: Store<Note>, note: Note) -> Self {
        Self {
            store,
            note,
            held: BTreeMap::new(),
            set: Vec::new(),
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
        self.take_if(|put: &Put| put.instance == instance && !put.thing.stays())
            .await?;
        self.open(instance).await;
        Ok(())
    }

    /// Takes away all that is here for it.
    pub(crate) async fn remove(&mut self, instance: &str) -> Result<(), Error> {
        self.held.remove(instance);
        self.take_if(|put: &Put| put.instance == instance).await?;
        self.open(instance).await;
        Ok(())
    }

    /// Its addresses have gone.
    async fn open(&mut self, instance: &str) {
        self.closed.release(instance);
        if let Some(problem) = self.close().await {
            tracing::warn!("VRRP: {problem}");
        }
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
        let path = format!("/proc/sys/net/ipv4/conf/{interface}/promote_secondaries");
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
        take_all(&gone).await?;
        self.strike(is_its)
    }

    /// Puts back what has gone of masters; what cannot be, by instance.
    pub(crate) async fn again(&mut self) -> Vec<(String, Vec<String>)> {
        self.closed.look().await;
        let unclosed = self.close().await;
        if self.held.is_empty() {
            return Vec::new();
        }
        let seen = match Seen::now().await {
            Ok(seen) => seen,
            Err(error) => {
                let failed = |name: &String| (name.clone(), vec![error.to_string()]);
                return self.held.keys().map(failed).collect();
            }
        };
        let mut all = Vec::new();
        for (instance, placement) in self.held.clone() {
            let outcome = self.put_all(&seen, &instance, &placement).await;
            let mut problems = outcome.unwrap_or_else(|error| vec![error.to_string()]);
            problems.extend(unclosed.clone().filter(|_| placement.closed));
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
        self.take_others(instance, placement).await?;
        let mut problems = Vec::new();
        let mut missing = Vec::new();
        for place in &placement.addresses {
            match seen.interfaces.iter().find(|it| it.name == place.interface) {
                Some(on) if !has(on, place) => missing.push((place, on)),
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
        let words: Vec<_> = words(placement).map(put_of).collect();
        let addresses = missing.iter().map(|(place, _)| put_of(thing(place)));
        self.note_all(addresses.chain(words.iter().cloned()).collect())?;
        for (place, on) in missing {
            if let Err(error) = put(&seen.handle, place, on).await {
                problems.push(error.to_string());
            }
        }
        for put in words {
            if self.set.contains(&put) {
                continue;
            }
            match by_words(&put.thing, Verb::Add).await {
                Ok(()) => self.set.push(put),
                Err(problem) => problems.push(problem),
            }
        }
        Ok(problems)
    }

    /// What it had put here and is to have no more.
    async fn take_others(&mut self, instance: &str, placement: &Placement) -> Result<(), Error> {
        let wanted: Vec<_> = placement
            .addresses
            .iter()
            .map(thing)
            .chain(words(placement))
            .collect();
        let is_other = |put: &Put| {
            put.instance == instance && !wanted.contains(&put.thing) && !put.thing.stays()
        };
        let gone: Vec<_> = self
            .note
            .put
            .iter()
            .filter(|it| is_other(it))
            .cloned()
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        take_all(&gone).await?;
        self.strike(is_other)
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

/// Takes these away; they need not be there.
pub(crate) async fn take_all(put: &[Put]) -> Result<(), Error> {
    if put.is_empty() {
        return Ok(());
    }
    let handle = address::connect()?;
    let interfaces = address::interfaces(&handle).await?;
    for Put { thing, instance } in put.iter().rev() {
        match thing {
            Thing::Address {
                address,
                length,
                interface,
            }
            | Thing::Own {
                address,
                length,
                interface,
            } => {
                let Some(from) = interfaces.iter().find(|it| it.name == *interface) else {
                    continue;
                };
                address::take(&handle, (*address, *length), from).await?;
                tracing::info!(instance, address = %thing, "taken away");
            }
            Thing::Link(name) => {
                vmac::remove(&handle, name, &interfaces).await?;
                tracing::info!(instance, interface = name, "taken away");
            }
            Thing::Setting { path, before } => {
                // Its interface may have gone.
                if let Err(error) = std::fs::write(path, before) {
                    tracing::debug!(path, %error, "not set back");
                }
            }
            Thing::Table(name) => match closed::remove().await {
                Ok(()) => tracing::info!(table = name, "taken away"),
                Err(problem) => tracing::warn!(problem, "not taken away"),
            },
            Thing::Route(_) | Thing::Rule(_) => {
                if let Err(problem) = by_words(thing, Verb::Delete).await {
                    tracing::debug!(instance, problem, "not taken away");
                }
            }
        }
    }
    Ok(())
}

async fn put(handle: &Handle, place: &Place, on: &Interface) -> Result<(), Error> {
    if address::put(handle, &place.setting, on).await? {
        tracing::info!(address = %place, interface = on.name, "put there");
    }
    Ok(())
}

fn has(on: &Interface, place: &Place) -> bool {
    let setting = &place.setting;
    on.addresses.contains(&(setting.address, setting.length))
}

fn thing(place: &Place) -> Thing {
    Thing::Address {
        address: place.setting.address,
        length: place.setting.length,
        interface: place.interface.clone(),
    }
}

fn words(placement: &Placement) -> impl Iterator<Item = Thing> {
    let routes = placement.routes.iter().cloned().map(Thing::Route);
    routes.chain(placement.rules.iter().cloned().map(Thing::Rule))
}

/// Has `ip` do it, whose words these are.
async fn by_words(thing: &Thing, verb: Verb) -> Result<(), String> {
    let (object, text) = match thing {
        Thing::Route(text) => ("route", text),
        Thing::Rule(text) => ("rule", text),
        _ => return Ok(()),
    };
    let verb = match verb {
        Verb::Add => "add",
        Verb::Delete => "del",
    };
    let words = plain(text);
    let mut command = Command::new("ip");
    command
        .args(is_v6(&words).then_some("-6"))
        .args([object, verb])
        .args(&words)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let failed = |reason: String| format!("ip {object} {verb} {text}: {reason}");
    let output = match timeout(PATIENCE, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(failed(error.to_string())),
        Err(_) => return Err(failed("no end".to_owned())),
    };
    let said = String::from_utf8_lossy(&output.stderr);
    match output.status.success() {
        true => Ok(()),
        // It was there before, and stays; or has gone already.
        false if said.contains("File exists") || said.contains("No such") => Ok(()),
        false => Err(failed(said.trim().to_owned())),
    }
}

/// Without the words that are keepalived's own.
fn plain(text: &str) -> Vec<&str> {
    let mut plain = Vec::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        match word {
            "no_track" => {}
            "track_group" => drop(words.next()),
            word => plain.push(word),
        }
    }
    plain
}

fn is_v6(words: &[&str]) -> bool {
    let address = |word: &&&str| word.split('/').next().unwrap_or_default().contains(':');
    let mut first = words.iter().filter(address);
    first.any(|word| {
        let address = word.split('/').next().unwrap_or_default();
        address.parse::<std::net::Ipv6Addr>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_ips() {
        let words = plain("192.0.2.0/24 via 10.0.0.1 no_track track_group one dev eth0");
        assert_eq!(words, ["192.0.2.0/24", "via", "10.0.0.1", "dev", "eth0"]);
        assert!(!is_v6(&words));
        assert!(is_v6(&plain("default via fe80::1 dev eth0")));
        assert!(is_v6(&plain("from 2001:db8::/32 table 7")));
    }
}
