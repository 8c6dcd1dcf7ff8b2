//! The values of IPVS's settings that hold.

use rlvs_control::sysctl::{SETTINGS, Value, find};
use rlvs_engine::sysctl::Sysctl;

use crate::core::Core;

impl Core {
    /// What was set; else what the configuration says; else the default.
    pub(crate) fn sysctl(&self, name: &str) -> &str {
        let set = self.desired.sysctl(name);
        let configured = || self.config.sysctl.get(name).map(String::as_str);
        let default = || find(name).map_or("", |setting| setting.default);
        set.or_else(configured).unwrap_or_else(default)
    }

    /// As they are shown: of defences the present mode, which need not be the one that was set.
    pub(crate) fn sysctls(&self) -> Vec<Value> {
        let value = |name: &str| Value {
            name: name.to_owned(),
            value: match name {
                "drop_entry" | "drop_packet" | "secure_tcp" => self.mode(name).to_string(),
                _ => self.sysctl(name).to_owned(),
            },
        };
        SETTINGS.iter().map(|setting| value(setting.name)).collect()
    }

    /// What packets are to know of a setting.
    pub(crate) fn held(&self, which: Sysctl) -> u32 {
        match which {
            Sysctl::DropEntry | Sysctl::DropPacket | Sysctl::SecureTcp => self.force(which),
            _ => word(self.sysctl(which.name())),
        }
    }
}

/// A number as the packet path keeps it: 32 bits, whatever the sign.
pub(crate) fn word(value: &str) -> u32 {
    value.parse().map_or(0, i32::cast_unsigned)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is taken has an effect: on packets, or one of these.
    #[test]
    fn none_is_taken_and_ignored() {
        // `Core::defend`, `Core::estimate`, `sync`; and what comes out of a tunnel meets no program.
        let beside = [
            "am_droprate",
            "amemthresh",
            "backup_only",
            "run_estimation",
            "ignore_tunneled",
            "sync_persist_mode",
            "sync_ports",
            "sync_refresh_period",
            "sync_retries",
            "sync_sock_size",
            "sync_threshold",
        ];
        let of_packets = Sysctl::ALL.map(Sysctl::name);
        let mut works: Vec<_> = of_packets.into_iter().chain(beside).collect();
        works.sort_unstable();
        let taken = SETTINGS.iter().filter(|setting| setting.fixed().is_none());
        assert_eq!(taken.map(|setting| setting.name).collect::<Vec<_>>(), works);
    }

    #[test]
    fn words_keep_the_sign() {
        assert_eq!(["0", "3", "-1"].map(word), [0, 3, u32::MAX]);
    }
}
