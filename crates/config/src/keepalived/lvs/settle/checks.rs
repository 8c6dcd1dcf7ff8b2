//! Checks with all that they inherit.

use rlvs_check::spec::{Check, File, Kind, Options, Tls, Udp};

use super::super::super::notes::Notes;
use super::super::checker::CheckDraft;
use super::super::kinds::{FileDraft, KindDraft, UdpDraft};
use super::super::real::RealDraft;
use super::Surroundings;

/// From the real server and all around it.
pub(super) struct Inherited {
    pub(super) options: Options,
    pub(super) virtual_host: Option<String>,
}

pub(super) fn checks(
    real: &RealDraft,
    inherited: &Inherited,
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> Vec<Check> {
    let mut checks = Vec::with_capacity(real.checks.len());
    for draft in &real.checks {
        let Some(kind) = kind(draft, inherited, around, notes) else {
            continue;
        };
        let options = draft.options.or(&inherited.options);
        let hosts = match &draft.hosts[..] {
            [] => std::slice::from_ref(&draft.connect),
            hosts => hosts,
        };
        for connect in hosts {
            checks.push(Check::new(kind.clone(), connect.clone(), &options));
        }
    }
    checks
}

/// None if it cannot be had, which is said.
fn kind(
    draft: &CheckDraft,
    inherited: &Inherited,
    around: &Surroundings<'_>,
    notes: &mut Notes,
) -> Option<Kind> {
    let mut drop = |message: &str| {
        notes.warn(draft.place, "", format!("{message}; the check is left out"));
        None
    };
    match &draft.kind {
        KindDraft::Tcp => Some(Kind::Tcp),
        KindDraft::Ping => Some(Kind::Ping),
        KindDraft::Http(http) if http.urls.is_empty() => drop("it has no `url`"),
        KindDraft::Http(http) => {
            let mut http = http.clone();
            http.virtual_host = draft
                .virtual_host
                .clone()
                .or(inherited.virtual_host.clone());
            if let Some(tls) = &mut http.tls {
                with_files(tls, &around.globals.tls);
            }
            Some(Kind::Http(http))
        }
        KindDraft::Smtp(helo_name) => Some(Kind::Smtp {
            helo_name: helo_name.clone(),
        }),
        KindDraft::Dns(dns) => Some(Kind::Dns(dns.clone())),
        KindDraft::Misc(script) if script.command.is_empty() => drop("it has no `misc_path`"),
        KindDraft::Misc(script) => {
            let mut script = script.clone();
            script.secure = around.globals.script_security;
            if script.user.is_none() {
                (script.user, script.group) = around.globals.script_user.clone();
            }
            Some(Kind::Script(script))
        }
        KindDraft::Udp(udp) => Some(Kind::Udp(asked(udp))),
        KindDraft::File(file) => match track_file(file, around) {
            Some(file) => Some(Kind::File(file)),
            None => drop(&format!("there is no track_file `{}`", file.track_file)),
        },
        KindDraft::Bfd => drop("BFD is not spoken yet"),
    }
}

fn with_files(tls: &mut Tls, files: &Tls) {
    tls.ca = files.ca.clone();
    tls.certificate = files.certificate.clone();
    tls.key = files.key.clone();
}

fn asked(draft: &UdpDraft) -> Udp {
    Udp {
        payload: draft.payload.clone(),
        reply: draft.required.then(|| draft.reply.clone()),
    }
}

fn track_file(draft: &FileDraft, around: &Surroundings<'_>) -> Option<File> {
    let mut files = around.track_files.iter();
    let file = files.find(|file| file.name == draft.track_file)?;
    let (weight, reverse) = match draft.weight {
        Some(weight) => (weight, draft.reverse),
        None => (file.weight, file.reverse),
    };
    Some(File {
        path: file.file.clone(),
        weight,
        reverse,
    })
}
