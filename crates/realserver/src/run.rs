//! Reads what is there, decides, and does it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use rlvs_host::address::{self, Interface};
use rlvs_host::store::Store;
use rtnetlink::Handle;

use crate::arrival::{Directors, Tunnels};
use crate::decapsulator::{Decapsulator, Task};
use crate::hook::Way;
use crate::plan::{self, Plan, Step};
use crate::present::{LOOPBACK, Present};
use crate::report::{Report, Seen, report};
use crate::saved::{DIRECTORY, Saved};
use crate::teller::Teller;
use crate::{Error, kernel, sysctl};

/// What a real server is to serve.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    pub vips: BTreeSet<IpAddr>,
    /// The interface on which the director's packets come in, where only that one matters.
    pub interface: Option<String>,
    /// The tunnels that are to end here; none: as before.
    pub tunnels: Option<Tunnels>,
    /// Processes are to be told of clients whose connections directors open; else: as before.
    pub client_address: bool,
    /// Whose word is taken; none: as before.
    pub directors: Option<Directors>,
}

/// Brings the VIPs up; what is right already stays as it is.
pub async fn up(wanted: &Wanted) -> Result<(), Error> {
    let store = store()?;
    let _lock = store.lock()?;
    let handle = address::connect()?;
    let present = present(&handle).await?;
    let plan = plan::up(&present, store.load()?, wanted)?;
    carry_out(&store, &handle, &present, plan).await
}

/// Takes the VIPs down, or all that are up where none is given, and restores what was there.
pub async fn down(wanted: &Wanted) -> Result<(), Error> {
    let store = store()?;
    let _lock = store.lock()?;
    let handle = address::connect()?;
    let present = present(&handle).await?;
    let plan = plan::down(&present, store.load()?, wanted);
    carry_out(&store, &handle, &present, plan).await
}

/// Compares what is there with what should be, for the VIPs given or all that were brought up.
pub async fn status(wanted: &Wanted) -> Result<Report, Error> {
    let saved = store()?.load()?;
    let mut wanted = wanted.clone();
    if wanted.vips.is_empty() {
        wanted.vips.clone_from(&saved.vips);
    }
    if wanted.vips.is_empty() {
        return Err(Error::NoVip);
    }
    let handle = address::connect()?;
    let present = present(&handle).await?;
    plan::check_interface(&present, &wanted)?;
    let seen = see(&saved, &handle).await?;
    Ok(report(&present, &wanted, &saved, &seen))
}

async fn carry_out(
    store: &Store<Saved>,
    handle: &Handle,
    present: &Present,
    plan: Plan,
) -> Result<(), Error> {
    store.save(&plan.before)?;
    let loopback = present.interface(LOOPBACK).ok_or(Error::LoopbackDown)?;
    for step in &plan.steps {
        match step {
            Step::Set(setting, value) => sysctl::write(setting, *value)?,
            Step::Add(vip) => address::add(handle, *vip, loopback).await?,
            Step::Remove(vip) => address::remove(handle, *vip, loopback).await?,
        }
    }
    if plan.before.tunnels.is_some() {
        decapsulate(present, &plan.after)?;
    }
    if plan.before.client_address {
        tell(&plan.after)?;
    }
    Ok(store.save(&plan.after)?)
}

/// Puts the program for tunnels where it belongs, or takes it away.
fn decapsulate(present: &Present, saved: &Saved) -> Result<(), Error> {
    let decapsulator = Decapsulator::new(cookie()?)?;
    let Some(tunnels) = &saved.tunnels else {
        return decapsulator.remove();
    };
    let task = Task {
        tunnels,
        directors: &saved.directors,
        vips: &saved.vips,
    };
    let interfaces: Vec<_> = present
        .tunnelled(saved.interface.as_deref())
        .map(|interface| (interface.index, interface.name.as_str()))
        .collect();
    decapsulator.install(&task, &interfaces)
}

/// Has processes told of clients, or no longer.
fn tell(saved: &Saved) -> Result<(), Error> {
    let teller = Teller::new(cookie()?)?;
    match saved.client_address {
        true => teller.install(&saved.directors),
        false => teller.remove(),
    }
}

/// What the programs are seen to do.
async fn see(saved: &Saved, handle: &Handle) -> Result<Seen, Error> {
    let mut seen = Seen::default();
    if saved.tunnels.is_some() {
        see_tunnels(&mut seen, handle).await?;
    }
    if saved.client_address {
        let teller = Teller::new(cookie()?)?;
        seen.tells = teller.is_attached();
        seen.told = teller.counts()?;
    }
    Ok(seen)
}

async fn see_tunnels(seen: &mut Seen, handle: &Handle) -> Result<(), Error> {
    let decapsulator = Decapsulator::new(cookie()?)?;
    for hook in decapsulator.hooks() {
        let is_attached = match hook.way {
            Way::Tcx => hook.is_linked(),
            Way::Clsact => kernel::has_filter(handle, hook.index).await,
        };
        if is_attached {
            seen.attached.insert(hook.index, hook.way.name());
        }
    }
    seen.counts = decapsulator.counts()?;
    Ok(())
}

async fn present(handle: &Handle) -> Result<Present, Error> {
    let interfaces: Vec<Interface> = address::interfaces(handle).await?;
    let settings = sysctl::read(interfaces.iter().map(|interface| interface.name.as_str()))?;
    Ok(Present {
        interfaces,
        settings,
        ipv6_off: sysctl::is_ipv6_off(),
    })
}

fn store() -> Result<Store<Saved>, Error> {
    Ok(Store::new(Path::new(DIRECTORY), cookie()?))
}

fn cookie() -> Result<u64, Error> {
    let named = |error| Error::io("naming this network namespace", error);
    rlvs_network::namespace::cookie().map_err(named)
}
