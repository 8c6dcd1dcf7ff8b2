//! What a site may not be, whichever file it comes from: the director's rules, before it sees it.

use std::collections::HashMap;

use rlvs_control::model::Family;
use rlvs_control::rules::{self, Checked, SCHEDULERS};
use rlvs_control::{Code, DestinationKey, ForwardingMethod, ServiceKey};

use crate::model::{Site, VirtualServer};
use crate::suggest::nearest;

/// What of a site a rule is about: which virtual server, which of its real servers, which field.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Subject {
    Service(usize, &'static str),
    Real(usize, usize, &'static str),
}

/// A rule that is broken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Broken {
    pub(crate) subject: Option<Subject>,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Everything that is wrong.
pub(crate) fn check(site: &Site) -> Vec<Broken> {
    let mut broken = Vec::new();
    timeouts(site, &mut broken);
    let mut keys = HashMap::new();
    for (index, server) in site.services.iter().enumerate() {
        for key in server.keys() {
            if keys.insert(*key, index).is_some() {
                broken.push(twice(index, key));
            }
        }
        service(index, server, &mut broken);
        reals(index, server, &mut broken);
    }
    broken
}

fn timeouts(site: &Site, broken: &mut Vec<Broken>) {
    let Some(now) = site.timeouts else {
        return;
    };
    let named = [("tcp", now.tcp), ("tcp_fin", now.tcp_fin), ("udp", now.udp)];
    if let Err(refusal) = rules::timeouts(&named) {
        broken.push(Broken {
            subject: None,
            message: refusal.error.message,
            help: None,
        });
    }
}

fn twice(index: usize, key: &ServiceKey) -> Broken {
    Broken {
        subject: Some(Subject::Service(index, field_of_key(key))),
        message: format!("the virtual service {key} is there twice"),
        help: Some("put its real servers into one service".into()),
    }
}

fn service(index: usize, server: &VirtualServer, broken: &mut Vec<Broken>) {
    for one in &server.services {
        let about = |field| {
            Subject::Service(
                index,
                if field == "key" {
                    field_of_key(&one.key)
                } else {
                    field
                },
            )
        };
        note(rules::service(one), about, &one.scheduler, broken);
        for address in &server.local_addresses {
            note(rules::local_address(&one.key, *address), about, "", broken);
        }
        if let Some(sorry) = &server.sorry_server {
            let about = |_| Subject::Service(index, "sorry_server");
            note(rules::destination(&one.key, sorry), about, "", broken);
            note(rules::together(one, sorry), about, "", broken);
        }
    }
    if server.policy.quorum <= server.policy.hysteresis && server.policy.hysteresis > 0 {
        broken.push(Broken {
            subject: Some(Subject::Service(index, "hysteresis")),
            message: "the hysteresis is not below the quorum, which could never be lost".into(),
            help: None,
        });
    }
}

fn reals(index: usize, server: &VirtualServer, broken: &mut Vec<Broken>) {
    // Whether a real server suits depends on the IP version only, and on what all have alike.
    let of_family = |family| move |key: &&ServiceKey| key.family() == family;
    let families = [Family::Ipv4, Family::Ipv6];
    let samples: Vec<_> = families
        .into_iter()
        .filter_map(|family| server.keys().find(of_family(family)))
        .collect();
    let mut seen = HashMap::with_capacity(server.real.len());
    for (place, real) in server.real.iter().enumerate() {
        let about = |field| Subject::Real(index, place, field);
        for key in &samples {
            note(
                rules::destination(key, &real.destination),
                about,
                "",
                broken,
            );
        }
        note(
            rules::together(&server.services[0], &real.destination),
            about,
            "",
            broken,
        );
        let key = listens(server, &real.destination.key, real.destination.method);
        if seen.insert(key, place).is_some() {
            broken.push(Broken {
                subject: Some(about("address")),
                message: format!("the real server {key} is there twice"),
                help: Some("its weight says how much it can do".into()),
            });
        }
    }
}

/// Packets that are forwarded as they are go to the service's port, whatever is written.
fn listens(
    server: &VirtualServer,
    key: &DestinationKey,
    method: ForwardingMethod,
) -> DestinationKey {
    let rewrites = matches!(
        method,
        ForwardingMethod::Masquerade | ForwardingMethod::FullNat
    );
    match server.services[0].key {
        ServiceKey::Address { port, .. } if !rewrites => DestinationKey { port, ..*key },
        _ => *key,
    }
}

fn note(
    checked: Checked,
    about: impl Fn(&'static str) -> Subject,
    scheduler: &str,
    broken: &mut Vec<Broken>,
) {
    let Err(refusal) = checked else {
        return;
    };
    let meant = match refusal.error.code {
        Code::UnknownScheduler => nearest(scheduler, SCHEDULERS),
        _ => None,
    };
    let new = Broken {
        subject: Some(about(refusal.about)),
        message: refusal.error.message,
        help: meant.map(|name| format!("did you mean `{name}`?")),
    };
    // The same is wrong with all addresses of a group.
    if broken.last() != Some(&new) {
        broken.push(new);
    }
}

fn field_of_key(key: &ServiceKey) -> &'static str {
    use rlvs_control::Protocol::{Sctp, Tcp, Udp};
    match key {
        ServiceKey::Address { protocol: Tcp, .. } => "tcp",
        ServiceKey::Address { protocol: Udp, .. } => "udp",
        ServiceKey::Address { protocol: Sctp, .. } => "sctp",
        ServiceKey::Mark {
            family: Family::Ipv4,
            ..
        } => "mark",
        ServiceKey::Mark {
            family: Family::Ipv6,
            ..
        } => "mark_ipv6",
    }
}
