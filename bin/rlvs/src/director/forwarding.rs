//! Whether the kernel forwards, and whether it must: answers under masquerading and packets with
//! firewall marks go by its routing.

use std::fs;
use std::io;

use anyhow::{Context as _, Result};
use rlvs_control::model::Family;
use rlvs_control::{ForwardingMethod, ServiceKey};

pub(super) const FAMILIES: [Family; 2] = [Family::Ipv4, Family::Ipv6];

/// Whether this service needs it, of its IP version.
pub(super) fn is_needed(
    key: &ServiceKey,
    mut methods: impl Iterator<Item = ForwardingMethod>,
) -> bool {
    matches!(key, ServiceKey::Mark { .. })
        || methods.any(|method| {
            matches!(
                method,
                ForwardingMethod::Masquerade | ForwardingMethod::FullNat
            )
        })
}

/// As sysctl names it.
pub(super) fn name(family: Family) -> &'static str {
    match family {
        Family::Ipv4 => "net.ipv4.ip_forward",
        Family::Ipv6 => "net.ipv6.conf.all.forwarding",
    }
}

/// Nothing of a kernel without that IP version.
pub(super) fn is_on(family: Family) -> Result<Option<bool>> {
    match fs::read_to_string(path(family)) {
        Ok(text) => Ok(Some(text.trim() != "0")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| name(family)),
    }
}

pub(super) fn set(family: Family, on: bool) -> Result<()> {
    let value = if on { "1" } else { "0" };
    let action = || format!("setting {} to {value}", name(family));
    fs::write(path(family), value).with_context(action)
}

fn path(family: Family) -> String {
    format!("/proc/sys/{}", name(family).replace('.', "/"))
}
