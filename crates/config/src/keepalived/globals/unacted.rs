//! What keepalived has for its own processes, and others do not need.

use super::super::block::{Keyword, unacted};
use super::Globals;

const ONE_PROCESS: &str = "rlvs has no processes of its own for this";
const UNIT: &str = "set it in the unit of rlvs (systemd)";
const SNMP: &str = "there is no SNMP agent";
const NETLINK: &str = "sizes of netlink buffers are rlvs's own affair";
const FIREWALL: &str =
    "the one table that rlvs needs, for no_accept, is inet rlvs_vrrp of nftables";
const NAMESPACE: &str =
    "rlvs serves the network namespace that it runs in: ip netns exec NAME rlvs run";
const RELOAD: &str = "a configuration is always checked whole before anything changes";

pub(super) const UNACTED: &[Keyword<Globals>] = &[
    unacted(
        &["tmp_config_directory", "config_save_dir"],
        "no copies are made of the configuration",
    ),
    unacted(
        &[
            "process_names",
            "process_name",
            "vrrp_process_name",
            "checker_process_name",
            "lvs_process_name",
            "bfd_process_name",
        ],
        ONE_PROCESS,
    ),
    unacted(
        &["linkbeat_use_polling"],
        "name interfaces in linkbeat_interfaces",
    ),
    unacted(
        &["lvs_flush"],
        "services of the file replace those of the file before, others stay",
    ),
    unacted(
        &[
            "nftables",
            "nftables_priority",
            "nftables_counters",
            "nftables_ifindex",
        ],
        FIREWALL,
    ),
    unacted(
        &[
            "nftables_ipvs",
            "nftables_ipvs_priority",
            "nftables_ipvs_start_fwmark",
        ],
        "groups need no firewall marks here: their addresses share one set of checks",
    ),
    unacted(
        &[
            "vrrp_iptables",
            "vrrp_ipsets",
            "disable_local_igmp",
            "namespace_with_ipsets",
        ],
        FIREWALL,
    ),
    unacted(
        &["max_auto_priority", "min_auto_priority_delay"],
        "packets do not wait for the daemon",
    ),
    unacted(
        &[
            "vrrp_priority",
            "checker_priority",
            "lvs_priority",
            "bfd_priority",
        ],
        UNIT,
    ),
    unacted(
        &[
            "vrrp_no_swap",
            "checker_no_swap",
            "lvs_no_swap",
            "bfd_no_swap",
        ],
        UNIT,
    ),
    unacted(
        &[
            "vrrp_cpu_affinity",
            "checker_cpu_affinity",
            "bfd_cpu_affinity",
        ],
        UNIT,
    ),
    unacted(
        &["vrrp_rt_priority", "checker_rt_priority", "bfd_rt_priority"],
        UNIT,
    ),
    unacted(
        &[
            "vrrp_rlimit_rttime",
            "vrrp_rlimit_rtime",
            "checker_rlimit_rttime",
            "checker_rlimit_rtime",
            "bfd_rlimit_rttime",
            "bfd_rlimit_rtime",
        ],
        UNIT,
    ),
    unacted(
        &[
            "snmp_socket",
            "enable_snmp_vrrp",
            "enable_snmp_checker",
            "enable_snmp_keepalived",
            "enable_snmp_rfc",
            "enable_snmp_rfcv2",
            "enable_snmp_rfcv3",
            "enable_traps",
        ],
        SNMP,
    ),
    unacted(
        &["enable_dbus", "dbus_service_name"],
        "events come by the API, not by D-Bus",
    ),
    unacted(
        &[
            "vrrp_netlink_cmd_rcv_bufs",
            "vrrp_netlink_cmd_rcv_bufs_force",
            "vrrp_netlink_monitor_rcv_bufs",
            "vrrp_netlink_monitor_rcv_bufs_force",
            "lvs_netlink_cmd_rcv_bufs",
            "lvs_netlink_cmd_rcv_bufs_force",
            "lvs_netlink_monitor_rcv_bufs",
            "lvs_netlink_monitor_rcv_bufs_force",
            "process_monitor_rcv_bufs",
            "process_monitor_rcv_bufs_force",
            "vrrp_rx_bufs_policy",
            "vrrp_rx_bufs_multiplier",
        ],
        NETLINK,
    ),
    unacted(&["umask"], UNIT),
    unacted(
        &[
            "net_namespace",
            "net_namespace_ipvs",
            "instance",
            "use_pid_dir",
        ],
        NAMESPACE,
    ),
    unacted(&["child_wait_time"], ONE_PROCESS),
    unacted(
        &[
            "reload_check_config",
            "reload_time_file",
            "reload_repeat",
            "reload_file",
        ],
        RELOAD,
    ),
    unacted(
        &["data_use_instance"],
        "`rlvs status` shows what the daemon knows",
    ),
    unacted(
        &["json_version"],
        "`rlvs status --json` shows what the daemon knows",
    ),
];
