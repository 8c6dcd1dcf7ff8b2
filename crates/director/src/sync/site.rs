//! The daemons of a configuration file: `lvs_sync_daemon` of keepalived.conf, `sync_daemon` of rlvs.toml.
//!
//! Without an instance of VRRP there are both; with one, the master's daemon where it is master and the
//! backup's where it is not. They are started and stopped by the transactions that make the rest of the
//! file; one that was started by hand gives way to the file's.

use rlvs_config::Site;
use rlvs_control::{Change, SyncDaemon, SyncRole};
use rlvs_vrrp::State;

use crate::core::Core;

impl Core {
    /// What makes the daemons those of a site.
    pub(crate) fn daemon_changes(&self, before: &Site, site: &Site) -> Vec<Change> {
        let mut changes = Vec::new();
        for role in SyncRole::ALL {
            let mut known = self.desired.daemons();
            let present = known.find(|daemon| daemon.role == role);
            let (old, new) = (
                described(before, role),
                wanted(site, role, |name| self.is_master(name)),
            );
            if present == new.as_ref() {
                continue;
            }
            let is_the_files = present.is_some() && (new.is_some() || present == old.as_ref());
            if is_the_files {
                changes.push(Change::StopDaemon(role));
            }
            changes.extend(new.map(Change::StartDaemon));
        }
        changes
    }

    fn is_master(&self, instance: &str) -> bool {
        self.vrrp.states().borrow().get(instance) == Some(&State::Master)
    }
}

fn wanted(site: &Site, role: SyncRole, is_master: impl Fn(&str) -> bool) -> Option<SyncDaemon> {
    let written = site.vrrp.defaults.sync_daemon.as_ref()?;
    let is_it = match &written.instance {
        None => true,
        Some(instance) => is_master(instance) == (role == SyncRole::Master),
    };
    described(site, role).filter(|_| is_it)
}

/// Whether it is to run now or not.
fn described(site: &Site, role: SyncRole) -> Option<SyncDaemon> {
    let written = site.vrrp.defaults.sync_daemon.as_ref()?;
    Some(SyncDaemon {
        id: written.id.unwrap_or_default(),
        // 0 says what leaving it out says.
        maxlen: written.maxlen.filter(|&it| it != 0),
        port: written.port.filter(|&it| it != 0),
        ttl: written.ttl.filter(|&it| it != 0),
        group: written.group,
        ..SyncDaemon::new(role, written.interface.as_str())
    })
}

#[cfg(test)]
mod tests {
    use rlvs_config::model::vrrp;

    use super::*;

    #[test]
    fn an_instance_decides_which_it_is() {
        let mut site = Site::default();
        assert_eq!(wanted(&site, SyncRole::Master, |_| true), None);
        site.vrrp.defaults.sync_daemon = Some(vrrp::SyncDaemon {
            interface: "eth1".to_owned(),
            id: Some(7),
            port: Some(0),
            ..Default::default()
        });
        for role in SyncRole::ALL {
            let daemon = wanted(&site, role, |_| false).unwrap();
            assert_eq!((daemon.role, daemon.id, daemon.port), (role, 7, None));
        }
        let written = site.vrrp.defaults.sync_daemon.as_mut().unwrap();
        written.instance = Some("VI_1".to_owned());
        for is_master in [false, true] {
            for role in SyncRole::ALL {
                let is_it = wanted(&site, role, |name| name == "VI_1" && is_master).is_some();
                assert_eq!(is_it, (role == SyncRole::Master) == is_master, "{role}");
            }
        }
    }
}
