//! The top of the file, and what comes of it all.

use super::block::{Keyword, block, read, unacted, value};
use super::globals::{Globals, global_defs, ssl};
use super::lvs::{Group, Surroundings, VirtualDraft, group, settle, virtual_server};
use super::notes::Notes;
use super::tree::Statement;
use super::vrrp;
use crate::model::{Site, Vrrp};
use crate::problem::{Problem, Problems};
use crate::rules::{self, Subject};
use crate::settings::AtStop;
use crate::source::Place;

/// All that is read.
#[derive(Debug, Default)]
struct Root {
    site: Site,
    globals: Globals,
    groups: Vec<Group>,
    servers: Vec<VirtualDraft>,
}

/// Where virtual servers, and the real servers of each, are written.
type Places = Vec<(Place, Vec<Place>)>;

/// The site that statements mean, and what there is to say.
pub(super) fn site(statements: &[Statement]) -> (Site, Problems) {
    let (mut root, mut notes) = (Root::default(), Notes::default());
    read(statements, &[ROOT], &mut root, &mut notes);
    let places = root.settle(&mut notes);
    let mut problems = notes.problems;
    for broken in rules::check(&root.site) {
        let place = broken.subject.and_then(|subject| place(&places, subject));
        let problem = Problem::error(place, broken.message);
        problems.push(match broken.help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }
    (root.site, problems)
}

fn place(places: &Places, subject: Subject) -> Option<Place> {
    match subject {
        Subject::Service(service, _) => places.get(service).map(|places| places.0),
        Subject::Real(service, real, _) => places
            .get(service)
            .and_then(|places| places.1.get(real).copied()),
    }
}

impl Root {
    fn settle(&mut self, notes: &mut Notes) -> Places {
        self.site.alerts = self.globals.alerts.clone();
        self.site.timeouts = self.globals.timeouts;
        if self.globals.flushes {
            self.site.settings.stop.forwarding = AtStop::Remove;
        }
        self.site.vrrp.defaults = self.globals.defaults.clone();
        if self.site.vrrp.defaults.smtp_alert.is_none() {
            self.site.vrrp.defaults.smtp_alert = self.globals.smtp_alert;
        }
        let mail = self.site.alerts.mail.as_ref();
        let around = Surroundings {
            globals: &self.globals,
            groups: &self.groups,
            track_files: &self.site.vrrp.track_file,
            mails: mail.is_some_and(|mail| !mail.to.is_empty()),
        };
        let mut places = Vec::with_capacity(self.servers.len());
        for draft in &self.servers {
            if let Some((server, reals)) = settle(draft, &around, notes) {
                self.site.services.push(server);
                places.push((draft.place(), reals));
            }
        }
        places
    }

    fn vrrp(&mut self) -> &mut Vrrp {
        &mut self.site.vrrp
    }
}

const ROOT: &[Keyword<Root>] = &[
    block(&["global_defs"], |root, notes, line| {
        global_defs(&mut root.globals, notes, line);
    }),
    block(&["SSL"], |root, notes, line| {
        ssl(&mut root.globals, notes, line)
    }),
    block(&["virtual_server_group"], |root, notes, line| {
        root.groups.extend(group(notes, line));
    }),
    block(&["virtual_server"], |root, notes, line| {
        root.servers.extend(virtual_server(notes, line));
    }),
    block(&["static_ipaddress"], |root, notes, line| {
        let addresses = vrrp::addresses(notes, line);
        root.site.addresses.extend(addresses);
    }),
    block(&["static_routes"], |root, _, line| {
        root.vrrp().static_routes.extend(vrrp::routes(line));
    }),
    block(&["static_rules"], |root, _, line| {
        root.vrrp().static_rules.extend(vrrp::routes(line));
    }),
    block(&["linkbeat_interfaces"], |root, _, line| {
        root.vrrp()
            .linkbeat_interfaces
            .extend(vrrp::linkbeat_interfaces(line));
    }),
    block(&["interface_up_down_delays"], |root, notes, line| {
        let delays = vrrp::interface_delays(notes, line);
        root.vrrp().interface_delay.extend(delays);
    }),
    block(
        &["track_group", "static_track_group"],
        |root, notes, line| {
            let group = vrrp::track_group(notes, line);
            root.vrrp().track_group.extend(group);
        },
    ),
    block(&["garp_group"], |root, notes, line| {
        let group = vrrp::garp_group(notes, line);
        root.vrrp().garp_group.push(group);
    }),
    block(&["track_file", "vrrp_track_file"], |root, notes, line| {
        let file = vrrp::track_file(notes, line);
        root.vrrp().track_file.extend(file);
    }),
    block(
        &["vrrp_track_process", "track_process"],
        |root, notes, line| {
            let process = vrrp::track_process(notes, line);
            root.vrrp().track_process.extend(process);
        },
    ),
    block(&["vrrp_script"], |root, notes, line| {
        let script = vrrp::vrrp_script(notes, line);
        root.vrrp().script.extend(script);
    }),
    block(&["bfd_instance"], |root, notes, line| {
        let bfd = vrrp::bfd_instance(notes, line);
        root.vrrp().bfd.extend(bfd);
    }),
    block(&["vrrp_sync_group"], |root, notes, line| {
        let group = vrrp::sync_group(notes, line);
        root.vrrp().sync_group.extend(group);
    }),
    block(&["vrrp_instance"], |root, notes, line| {
        let instance = vrrp::vrrp_instance(notes, line);
        root.vrrp().instance.extend(instance);
    }),
    unacted(
        &[
            "net_namespace",
            "net_namespace_ipvs",
            "namespace_with_ipsets",
            "instance",
            "use_pid_dir",
        ],
        "rlvs serves the network namespace that it runs in: ip netns exec NAME rlvs run",
    ),
    unacted(
        &["linkbeat_use_polling"],
        "name interfaces in linkbeat_interfaces",
    ),
    unacted(
        &["child_wait_time"],
        "rlvs has no processes of its own for this",
    ),
    // It counted when the files were read.
    value(&["include_check"], |_, _, _| {}),
];
