//! Interfaces that instances have of their own: with virtual MAC addresses, or with the one of the
//! interface below (ipvlan).

use rlvs_config::model::VirtualAddress;
use rlvs_config::model::vrrp::{self, Defaults};
use rlvs_vrrp::Spec;
use rlvs_vrrp::spec::{Family, To};

use crate::plan::{Ipvlan, IpvlanMode, Vmac};
use crate::vmac;

/// keepalived's prefix of names.
const PREFIX: &str = "vrrp";
/// Bytes of an interface's name (IFNAMSIZ, less its NUL).
const LONGEST: usize = 15;

/// Where an instance speaks, and where its addresses are.
#[derive(Debug, Default)]
pub(super) struct Interfaces {
    pub(super) vmac: Option<Vmac>,
    /// Those of addresses that are elsewhere.
    pub(super) address_vmacs: Vec<Vmac>,
    pub(super) ipvlan: Option<Ipvlan>,
}

impl Interfaces {
    pub(super) fn new(
        it: &vrrp::Instance,
        spec: &Spec,
        interface: &str,
        defaults: &Defaults,
    ) -> Result<Self, String> {
        let interfaces = Self {
            vmac: main(it, spec, interface, defaults)?,
            address_vmacs: others(it, spec, interface, defaults)?,
            ipvlan: ipvlan(it, spec, interface)?,
        };
        if interfaces.ipvlan.is_some() && interfaces.vmac.is_some() {
            return Err("it has use_vmac and use_ipvlan: leave one of them out".to_owned());
        }
        Ok(interfaces)
    }

    /// Where an address is put.
    pub(super) fn place(&self, address: &VirtualAddress, interface: &str) -> String {
        let written = address.interface.as_deref();
        let parent = written.unwrap_or(interface);
        let v6 = address.ip().is_ipv6();
        let others = self.address_vmacs.iter();
        let mut others = others.filter(|vmac| vmac.parent == parent && vmac.v6 == v6);
        if let Some(vmac) = others.next() {
            return vmac.name.clone();
        }
        let own = self.vmac.as_ref().map(|it| &it.name);
        let own = own.or(self.ipvlan.as_ref().map(|it| &it.name));
        match (written, own) {
            (None, Some(own)) => own.clone(),
            _ => parent.to_owned(),
        }
    }
}

/// `use_vmac`. To peers, advertisements go by the interface below, whose address they have.
fn main(
    it: &vrrp::Instance,
    spec: &Spec,
    interface: &str,
    defaults: &Defaults,
) -> Result<Option<Vmac>, String> {
    let Some(written) = it.vmac.as_ref().filter(|it| it.adverts) else {
        return Ok(None);
    };
    let v6 = spec.family == Family::V6;
    let router = spec.virtual_router;
    let mac = match &written.mac {
        None => vmac::mac(router, v6),
        Some(text) => vmac::parse(text, router).ok_or(format!("`{text}` is no MAC address"))?,
    };
    let prefix = defaults.vmac_prefix.as_deref().unwrap_or(PREFIX);
    let usual = || format!("{prefix}{}.{router}", if v6 { "6" } else { "" });
    let by_group = matches!(spec.to, To::Group(_));
    let name = written.name.clone().unwrap_or_else(usual);
    Ok(Some(Vmac {
        name: named(name)?,
        parent: interface.to_owned(),
        mac,
        v6,
        sends: by_group && !written.xmit_base,
    }))
}

/// `use_vmac_addr`, and `use_vmac` of an address: an interface for all addresses of a family that are on
/// another one, or of the other family.
fn others(
    it: &vrrp::Instance,
    spec: &Spec,
    interface: &str,
    defaults: &Defaults,
) -> Result<Vec<Vmac>, String> {
    let wants_all = it.vmac.as_ref().is_some_and(|it| it.addresses);
    let main = it.vmac.as_ref().is_some_and(|it| it.adverts);
    let prefix = defaults.vmac_addr_prefix.as_deref();
    let prefix = prefix.or(defaults.vmac_prefix.as_deref()).unwrap_or(PREFIX);
    let router = spec.virtual_router;
    let mut all: Vec<Vmac> = Vec::new();
    for address in it
        .virtual_ipaddress
        .iter()
        .chain(&it.virtual_ipaddress_excluded)
    {
        if !wants_all && !address.has("use_vmac") {
            continue;
        }
        let parent = address.interface.as_deref().unwrap_or(interface);
        let family = Family::of(address.ip());
        let is_own = parent == interface && family == spec.family;
        let is_mains = is_own && (main || !address.has("use_vmac"));
        let v6 = family == Family::V6;
        if is_mains || all.iter().any(|it| it.parent == parent && it.v6 == v6) {
            continue;
        }
        let number = all.len() + 1;
        let name = format!("{prefix}{}.{router}.{number}", if v6 { "6" } else { "" });
        all.push(Vmac {
            name: named(name)?,
            parent: parent.to_owned(),
            mac: vmac::mac(router, v6),
            v6,
            sends: false,
        });
    }
    Ok(all)
}

fn ipvlan(it: &vrrp::Instance, spec: &Spec, interface: &str) -> Result<Option<Ipvlan>, String> {
    let Some(written) = &it.ipvlan else {
        return Ok(None);
    };
    let v6 = spec.family == Family::V6;
    let router = spec.virtual_router;
    let address = written.address.map(|net| (net.addr(), net.prefix_len()));
    match address {
        None if !v6 => {
            let what = "use_ipvlan: of IPv4 it needs an address to send from";
            return Err(format!("{what}: use_ipvlan NAME ADDRESS/LENGTH"));
        }
        Some((address, _)) if Family::of(address) != spec.family => {
            return Err(format!("use_ipvlan: {address} is of the other family"));
        }
        _ => {}
    }
    let mode = match written.mode.as_deref() {
        None | Some("bridge") => IpvlanMode::Bridge,
        Some("private") => IpvlanMode::Private,
        Some("vepa") => IpvlanMode::Vepa,
        Some(other) => {
            return Err(format!(
                "use_ipvlan: `{other}` is none of bridge, private, vepa"
            ));
        }
    };
    let usual = || format!("ipvl{}.{router}", if v6 { "6" } else { "" });
    Ok(Some(Ipvlan {
        name: named(written.name.clone().unwrap_or_else(usual))?,
        parent: interface.to_owned(),
        address,
        mode,
    }))
}

fn named(name: String) -> Result<String, String> {
    match name.len() {
        1..=LONGEST => Ok(name),
        _ => Err(format!(
            "`{name}` is no name of an interface: it has to have 1 to {LONGEST} bytes"
        )),
    }
}
