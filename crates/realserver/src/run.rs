//! Reads what is there, decides, and does it.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use rtnetlink::Handle;

use crate::plan::{self, Plan, Step};
use crate::present::{Interface, LOOPBACK, Present};
use crate::report::{Report, report};
use crate::saved::{DIRECTORY, Store};
use crate::{Error, kernel, sysctl};

/// What a real server is to serve.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    pub vips: BTreeSet<IpAddr>,
    /// The interface on which the director's packets come in, where only that one matters.
    pub interface: Option<String>,
}

/// Brings the VIPs up; what is right already stays as it is.
pub async fn up(wanted: &Wanted) -> Result<(), Error> {
    let store = store()?;
    let _lock = store.lock()?;
    let handle = connect()?;
    let present = present(&handle).await?;
    let plan = plan::up(&present, store.load()?, wanted)?;
    carry_out(&store, &handle, &present, plan).await
}

/// Takes the VIPs down, or all that are up where none is given, and restores what was there.
pub async fn down(wanted: &Wanted) -> Result<(), Error> {
    let store = store()?;
    let _lock = store.lock()?;
    let handle = connect()?;
    let present = present(&handle).await?;
    let plan = plan::down(&present, store.load()?, wanted);
    carry_out(&store, &handle, &present, plan).await
}

/// Compares what is there with what should be, for the VIPs given or all that were brought up.
pub async fn status(wanted: &Wanted) -> Result<Report, Error> {
    let mut wanted = wanted.clone();
    if wanted.vips.is_empty() {
        wanted.vips = store()?.load()?.vips;
    }
    if wanted.vips.is_empty() {
        return Err(Error::NoVip);
    }
    let present = present(&connect()?).await?;
    plan::check_interface(&present, &wanted)?;
    Ok(report(&present, &wanted))
}

async fn carry_out(
    store: &Store,
    handle: &Handle,
    present: &Present,
    plan: Plan,
) -> Result<(), Error> {
    store.save(&plan.before)?;
    let loopback = present
        .interface(LOOPBACK)
        .map_or(1, |loopback| loopback.index);
    for step in &plan.steps {
        match step {
            Step::Set(setting, value) => sysctl::write(setting, *value)?,
            Step::Add(vip) => kernel::add(handle, *vip, loopback).await?,
            Step::Remove(vip) => kernel::remove(handle, *vip, loopback).await?,
        }
    }
    store.save(&plan.after)
}

async fn present(handle: &Handle) -> Result<Present, Error> {
    let interfaces: Vec<Interface> = kernel::interfaces(handle).await?;
    let settings = sysctl::read(interfaces.iter().map(|interface| interface.name.as_str()))?;
    Ok(Present {
        interfaces,
        settings,
        ipv6_off: sysctl::is_ipv6_off(),
    })
}

fn store() -> Result<Store, Error> {
    let named = |error| Error::io("naming this network namespace", error);
    Ok(Store::new(
        Path::new(DIRECTORY),
        rlvs_network::namespace::cookie().map_err(named)?,
    ))
}

fn connect() -> Result<Handle, Error> {
    let opened = rtnetlink::new_connection();
    let (connection, handle, _) =
        opened.map_err(|error| Error::io("opening a netlink socket", error))?;
    tokio::spawn(connection);
    Ok(handle)
}
