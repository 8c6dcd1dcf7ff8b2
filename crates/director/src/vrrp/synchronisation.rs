//! Synchronisation daemons that a site has (`lvs_sync_daemon`): as keepalived starts and stops them.

use rlvs_config::model::vrrp::SyncDaemon as Written;
use rlvs_control::{SyncDaemon, SyncRole};
use rlvs_speaker::States;
use rlvs_vrrp::State;

/// What is master or backup as an instance is; both, if none is named.
pub(super) fn daemons(written: &Written, states: &States) -> Vec<SyncDaemon> {
    let roles: &[SyncRole] = match &written.instance {
        None => &[SyncRole::Master, SyncRole::Backup],
        Some(instance) => match states.get(instance) {
            Some(State::Master) => &[SyncRole::Master],
            Some(_) => &[SyncRole::Backup],
            None => &[],
        },
    };
    let daemon = |role: &SyncRole| SyncDaemon {
        id: written.id.unwrap_or(0),
        // 0 says what leaving it out says.
        maxlen: written.maxlen.filter(|&it| it != 0),
        group: written.group,
        port: written.port.filter(|&it| it != 0),
        ttl: written.ttl.filter(|&it| it != 0),
        ..SyncDaemon::new(*role, written.interface.as_str())
    };
    roles.iter().map(daemon).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn they_are_what_their_instance_is() {
        let mut written = Written {
            interface: "eth1".into(),
            id: Some(7),
            ..Written::default()
        };
        let states: States = Arc::new([("VI_1".to_owned(), State::Master)].into());
        let roles = |written: &Written, states: &States| -> Vec<SyncRole> {
            let daemons = daemons(written, states);
            assert!(
                daemons
                    .iter()
                    .all(|it| it.id == 7 && it.interface == "eth1")
            );
            daemons.into_iter().map(|it| it.role).collect()
        };
        assert_eq!(
            roles(&written, &states),
            [SyncRole::Master, SyncRole::Backup]
        );
        written.instance = Some("VI_1".into());
        assert_eq!(roles(&written, &states), [SyncRole::Master]);
        for state in [State::Backup, State::Fault] {
            let states: States = Arc::new([("VI_1".to_owned(), state)].into());
            assert_eq!(roles(&written, &states), [SyncRole::Backup]);
        }
        assert_eq!(roles(&written, &States::default()), []);
    }
}
