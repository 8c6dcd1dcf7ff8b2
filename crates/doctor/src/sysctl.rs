//! Kernel parameters, by their paths below `/proc/sys`: no name of an interface has a slash in
//! it, while many have a dot.

use std::collections::BTreeMap;

use rlvs_control::model::Family;

/// The parameters that checks look at, as far as the kernel has them here.
#[derive(Clone, Debug, Default)]
pub struct Sysctls(BTreeMap<String, u32>);

impl Sysctls {
    pub(crate) fn set(&mut self, path: impl Into<String>, value: u32) {
        self.0.insert(path.into(), value);
    }

    pub(crate) fn get(&self, path: &str) -> Option<u32> {
        self.0.get(path).copied()
    }

    /// A parameter of one interface, or of `all`; 0 where there is none.
    pub(crate) fn of(&self, family: Family, interface: &str, name: &str) -> u32 {
        let value = self.get(&path(family, interface, name));
        value.unwrap_or_default()
    }

    /// Where the greater one of `all` and the interface counts.
    pub(crate) fn greater(&self, interface: &str, name: &str) -> u32 {
        let of = |interface| self.of(Family::Ipv4, interface, name);
        of("all").max(of(interface))
    }
}

pub(crate) fn path(family: Family, interface: &str, name: &str) -> String {
    let version = match family {
        Family::Ipv4 => "ipv4",
        Family::Ipv6 => "ipv6",
    };
    format!("net/{version}/conf/{interface}/{name}")
}

/// The command that sets a parameter. To sysctl(8) a dot in a part of the path is a slash.
pub(crate) fn command(path: &str, value: u32) -> String {
    format!("sysctl -w {}={value}", key(path))
}

/// The usual name of a parameter.
pub(crate) fn key(path: &str) -> String {
    let parts = path.split('/').map(|part| part.replace('.', "/"));
    parts.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dot_in_an_interfaces_name_is_a_slash() {
        let path = path(Family::Ipv4, "eth0.10", "rp_filter");
        assert_eq!(
            command(&path, 2),
            "sysctl -w net.ipv4.conf.eth0/10.rp_filter=2"
        );
    }
}
