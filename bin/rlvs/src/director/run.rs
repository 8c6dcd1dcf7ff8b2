//! Reads what is there, decides, and does it.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail};
use rlvs_control::model::Family;
use rlvs_control::{Change, Client, Code, Director as _, ServiceStatus, Timeouts, Transaction};
use rlvs_director::desired::Desired;
use rlvs_host::address::{self, Interface};
use rlvs_host::store::Store;
use tokio::runtime::Runtime;

use super::report::{Report, needs_forwarding, report};
use super::saved::{DIRECTORY, Saved};
use super::{Asked, addresses, forwarding, rules};

/// Virtual addresses come last: a client that finds one finds a service, too.
pub(super) fn up(asked: &Asked) -> Result<()> {
    let given = rules::read(asked)?;
    let desired = rules::desired(&given)?;
    let store = store()?;
    let _lock = store.lock()?;
    let before = store.load()?;
    let mut saved = before.clone();
    let mut director = Client::connect()?;
    let present = director.services()?.services;
    let mut changes = rules::changes(&present, &saved.services, &desired)?;
    let host = Host::new()?;
    let interfaces = host.interfaces()?;
    let gone = note_addresses(&mut saved, asked, &desired, &interfaces)?;
    let keys: BTreeSet<_> = desired.services().map(|it| it.service().key).collect();
    saved.services.extend(&keys);
    changes.extend(note_timeouts(&mut saved, &given, director.timeouts()?));
    let forwards = note_forwarding(&mut saved, &desired)?;
    saved.rules = given;
    store.save(&saved)?;

    for family in forwards {
        forwarding::set(family, true)?;
    }
    if let Err(error) = director.apply(&Transaction::from(changes)) {
        // None of the rules holds.
        let forwards = saved.forwards;
        store.save(&Saved { forwards, ..before })?;
        return Err(error.into());
    }
    host.remove(&gone, &interfaces)?;
    host.add(&saved, &interfaces)?;
    saved.services = keys;
    saved.put.retain(|vip, _| saved.vips.contains(vip));
    stop_forwarding(&mut saved, &director.services()?.services)?;
    Ok(store.save(&saved)?)
}

/// Virtual addresses go first, as they came last.
pub(super) fn down() -> Result<()> {
    let store = store()?;
    let _lock = store.lock()?;
    let mut saved = store.load()?;
    let host = Host::new()?;
    let all: Vec<_> = saved.put.clone().into_iter().collect();
    host.remove(&all, &host.interfaces()?)?;
    saved.put.clear();
    saved.vips.clear();
    store.save(&saved)?;
    let left = delete_services(&mut saved)?;
    stop_forwarding(&mut saved, &left)?;
    Ok(store.save(&Saved::default())?)
}

/// What `up` set, beside what is there.
pub(super) fn status() -> Result<Report> {
    let saved = store()?.load()?;
    if saved == Saved::default() {
        bail!("nothing is set here by `rlvs director up'; `rlvs status` shows the director itself");
    }
    let services = match Client::connect()?.services() {
        Ok(services) => Some(services.services),
        Err(error) if error.code == Code::NotRunning => None,
        Err(error) => return Err(error.into()),
    };
    let desired = rules::desired(&saved.rules)?;
    report(
        &saved,
        &desired,
        &Host::new()?.interfaces()?,
        services.as_deref(),
    )
}

type Put = (std::net::IpAddr, String);

/// Notes where virtual addresses are to be; those that were put here earlier, and are to go.
fn note_addresses(
    saved: &mut Saved,
    asked: &Asked,
    desired: &Desired,
    interfaces: &[Interface],
) -> Result<Vec<Put>> {
    let vips: BTreeSet<_> = rules::addresses(desired)
        .chain(asked.vip.iter().copied())
        .collect();
    for &vip in &vips {
        if let Some(place) = addresses::wanted(interfaces, vip, asked.interface.as_deref())? {
            saved.put.insert(vip, place.name.clone());
        }
    }
    let is_gone = |put: &(&std::net::IpAddr, &String)| !vips.contains(put.0);
    let gone = saved.put.iter().filter(is_gone);
    let gone = gone.map(|(vip, name)| (*vip, name.clone())).collect();
    saved.vips = vips;
    Ok(gone)
}

/// The changes of timeouts among the rules, or what takes earlier ones back; notes what they were
/// before the first of them.
fn note_timeouts(saved: &mut Saved, rules: &[Change], present: Timeouts) -> Vec<Change> {
    let is_one = |change: &&Change| matches!(change, Change::SetTimeouts { .. });
    let changes: Vec<_> = rules.iter().filter(is_one).cloned().collect();
    let mut after = present;
    for change in &changes {
        if let Change::SetTimeouts { tcp, tcp_fin, udp } = *change {
            let set = |value: &mut u32, to| {
                if to != 0 {
                    *value = to
                }
            };
            set(&mut after.tcp, tcp);
            set(&mut after.tcp_fin, tcp_fin);
            set(&mut after.udp, udp);
        }
    }
    if changes.is_empty() {
        return timeouts_back(saved, present).into_iter().collect();
    }
    let before = saved.timeouts.map_or(present, |(before, _)| before);
    saved.timeouts = Some((before, after));
    changes
}

/// What gives timeouts back that are as we set them.
fn timeouts_back(saved: &mut Saved, present: Timeouts) -> Option<Change> {
    let (before, after) = saved.timeouts.take()?;
    let Timeouts { tcp, tcp_fin, udp } = before;
    (present == after).then_some(Change::SetTimeouts { tcp, tcp_fin, udp })
}

/// Notes which IP versions are to be forwarded and are not; they are turned on.
fn note_forwarding(saved: &mut Saved, desired: &Desired) -> Result<Vec<Family>> {
    let mut off = Vec::new();
    for family in forwarding::FAMILIES {
        let mut services = desired.services();
        let is_needed =
            services.any(|it| it.service().key.family() == family && needs_forwarding(it));
        if is_needed && forwarding::is_on(family)? == Some(false) {
            saved.forwards.insert(family);
            off.push(family);
        }
    }
    Ok(off)
}

/// Turns off what was turned on, where none of the services needs it.
fn stop_forwarding(saved: &mut Saved, services: &[ServiceStatus]) -> Result<()> {
    let is_free = |family: &Family| is_free(*family, services);
    for family in saved.forwards.extract_if(.., is_free) {
        if forwarding::is_on(family)? == Some(true) {
            forwarding::set(family, false)?;
        }
    }
    Ok(())
}

/// None of these services needs forwarding of this IP version.
fn is_free(family: Family, services: &[ServiceStatus]) -> bool {
    !services.iter().any(|status| {
        let methods = status.destinations.iter().map(|it| it.destination.method);
        let key = &status.service.key;
        key.family() == family && forwarding::is_needed(key, methods)
    })
}

/// Deletes ours, and gives timeouts back; the services that are left.
fn delete_services(saved: &mut Saved) -> Result<Vec<ServiceStatus>> {
    let mut director = Client::connect()?;
    let mut present = match director.services() {
        Ok(services) => services.services,
        Err(error) if error.code == Code::NotRunning && !rlvs_director::is_present()? => {
            return Ok(Vec::new());
        }
        Err(error) if error.code == Code::NotRunning => bail!(
            "virtual addresses are taken back, but rules only a running director takes: \
             `rlvs run', then this again; or `rlvs down', then this again"
        ),
        Err(error) => return Err(error.into()),
    };
    let mut changes = rules::deletions(&present, &saved.services, |_| false);
    changes.extend(timeouts_back(saved, director.timeouts()?));
    if !changes.is_empty() {
        director.apply(&Transaction::from(changes))?;
    }
    present.retain(|status| !saved.services.contains(&status.service.key));
    Ok(present)
}

fn store() -> Result<Store<Saved>> {
    Ok(Store::new(
        Path::new(DIRECTORY),
        rlvs_network::namespace::cookie()?,
    ))
}

/// The way to the kernel's addresses.
struct Host {
    runtime: Runtime,
    handle: address::Handle,
}

impl Host {
    fn new() -> Result<Self> {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_io().build()?;
        let handle = runtime.block_on(async { address::connect() })?;
        Ok(Self { runtime, handle })
    }

    fn interfaces(&self) -> Result<Vec<Interface>> {
        Ok(self.runtime.block_on(address::interfaces(&self.handle))?)
    }

    /// Puts virtual addresses where they are to be and are not.
    fn add(&self, saved: &Saved, interfaces: &[Interface]) -> Result<()> {
        for (vip, name) in &saved.put {
            let place = interfaces.iter().find(|interface| interface.name == *name);
            if let Some(place) = place.filter(|_| saved.vips.contains(vip)) {
                self.runtime
                    .block_on(address::add(&self.handle, *vip, place))?;
            }
        }
        Ok(())
    }

    /// Takes away what was put, if it is still there.
    fn remove(&self, put: &[Put], interfaces: &[Interface]) -> Result<()> {
        for (vip, name) in put {
            if let Some(place) = interfaces.iter().find(|interface| interface.name == *name) {
                self.runtime
                    .block_on(address::remove(&self.handle, *vip, place))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(tcp: u32, tcp_fin: u32, udp: u32) -> Change {
        Change::SetTimeouts { tcp, tcp_fin, udp }
    }

    fn timeouts(tcp: u32, tcp_fin: u32, udp: u32) -> Timeouts {
        Timeouts { tcp, tcp_fin, udp }
    }

    #[test]
    fn timeouts_are_given_back_as_they_first_were() {
        let mut saved = Saved::default();
        let before = Timeouts::default();
        let rules = [set(11, 15, 0), set(12, 0, 0)];
        assert_eq!(note_timeouts(&mut saved, &rules, before), rules);
        let after = timeouts(12, 15, 300);
        assert_eq!(saved.timeouts, Some((before, after)));
        let others = [set(20, 0, 0)];
        assert_eq!(note_timeouts(&mut saved, &others, after), others);
        let back = note_timeouts(&mut saved, &[], timeouts(20, 15, 300));
        assert_eq!(back, [set(900, 120, 300)]);
        assert_eq!(saved, Saved::default());
    }

    #[test]
    fn timeouts_that_someone_else_set_are_left() {
        let mut saved = Saved::default();
        note_timeouts(&mut saved, &[set(11, 15, 300)], Timeouts::default());
        let back = note_timeouts(&mut saved, &[], timeouts(60, 15, 300));
        assert_eq!(back, []);
    }
}
