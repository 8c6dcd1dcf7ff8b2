//! Who is told of VRRP: scripts, FIFOs and people, in keepalived's words.

use std::time::SystemTime;

use rlvs_config::model::vrrp::{Notify, Vrrp};
use rlvs_config::model::{Alerts, Command};
use rlvs_speaker::Told;
use rlvs_vrrp::{Event, State};

use super::letter::Letter;

/// What is told of an instance or a group.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Word<'a> {
    /// INSTANCE or GROUP.
    kind: &'static str,
    name: &'a str,
    what: What,
    priority: u8,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum What {
    Master,
    Backup,
    Fault,
    Stop,
    Deleted,
    LowerPriority,
    MasterPriority,
    BackupPriority,
}

/// What follows from something that happened.
#[derive(Debug, Default)]
pub(super) struct Telling {
    /// Scripts with their arguments.
    pub(super) commands: Vec<Command>,
    pub(super) line: Option<String>,
    pub(super) letter: Option<Letter>,
}

impl What {
    fn name(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
            Self::Deleted => "DELETED",
            Self::LowerPriority => "MASTER_RX_LOWER_PRI",
            Self::MasterPriority => "MASTER_PRIORITY",
            Self::BackupPriority => "BACKUP_PRIORITY",
        }
    }

    fn of_state(state: State) -> Option<Self> {
        match state {
            State::Initialize => None,
            State::Backup => Some(Self::Backup),
            State::Master => Some(Self::Master),
            State::Fault => Some(Self::Fault),
        }
    }

    fn is_priority(self) -> bool {
        matches!(self, Self::MasterPriority | Self::BackupPriority)
    }
}

/// Of a configuration that has the instance or the group.
pub(super) fn telling(vrrp: &Vrrp, alerts: &Alerts, told: &Told, at: SystemTime) -> Telling {
    let (word, notify, smtp_alert) = match told {
        Told::Instance {
            name,
            event,
            priority,
            is_master,
            deleted,
            ..
        } => {
            let Some(instance) = vrrp.instance.iter().find(|it| it.name == *name) else {
                return Telling::default();
            };
            let tells_priority = instance.notify_priority_changes;
            let tells_priority = tells_priority.unwrap_or(vrrp.defaults.notify_priority_changes);
            let Some(what) = what(event, *is_master, *deleted, &instance.notify) else {
                return Telling::default();
            };
            if what.is_priority() && !tells_priority {
                return Telling::default();
            }
            let word = Word {
                kind: "INSTANCE",
                name,
                what,
                priority: *priority,
            };
            (word, &instance.notify, instance.smtp_alert)
        }
        Told::Group { name, to, .. } => {
            let group = vrrp.sync_group.iter().find(|it| it.name == *name);
            let (Some(group), Some(what)) = (group, What::of_state(*to)) else {
                return Telling::default();
            };
            let word = Word {
                kind: "GROUP",
                name,
                what,
                priority: 0,
            };
            (word, &group.notify, group.smtp_alert)
        }
        Told::Placed => return Telling::default(),
    };
    let wants_mail = smtp_alert.or(vrrp.defaults.smtp_alert).unwrap_or_default();
    let no_faults = alerts.mail.as_ref().is_some_and(|mail| mail.no_faults);
    let wants_mail = wants_mail && !(no_faults && word.what == What::Fault);
    Telling {
        commands: commands(notify, &word),
        line: Some(line(&word)),
        letter: wants_mail.then(|| letter(&word, at)).flatten(),
    }
}

fn what(event: &Event, is_master: bool, deleted: bool, notify: &Notify) -> Option<What> {
    match event {
        Event::State {
            to: State::Initialize,
            ..
        } if deleted => Some(match notify.tell_deleted {
            true => What::Deleted,
            false => What::Fault,
        }),
        Event::State {
            to: State::Initialize,
            ..
        } => Some(What::Stop),
        Event::State { to, .. } => What::of_state(*to),
        Event::LowerPriority { .. } => Some(What::LowerPriority),
        Event::Priority { .. } if is_master => Some(What::MasterPriority),
        Event::Priority { .. } => Some(What::BackupPriority),
        _ => None,
    }
}

/// That of the state as it is configured; that of all changes with what has changed behind.
fn commands(notify: &Notify, word: &Word) -> Vec<Command> {
    let own = match word.what {
        What::Master => &notify.master,
        What::Backup => &notify.backup,
        What::Fault => &notify.fault,
        What::Stop => &notify.stop,
        What::Deleted => &notify.deleted,
        What::LowerPriority => &notify.master_rx_lower_pri,
        What::MasterPriority | What::BackupPriority => &None,
    };
    let is_state = !word.what.is_priority() && word.what != What::LowerPriority;
    let any = notify.any.as_ref().filter(|_| is_state).map(|any| {
        let mut any = any.clone();
        let more = [word.kind, word.name, word.what.name()];
        any.words.extend(more.map(str::to_owned));
        any.words.push(word.priority.to_string());
        any
    });
    own.iter().cloned().chain(any).collect()
}

fn line(word: &Word) -> String {
    let Word {
        kind,
        name,
        what,
        priority,
    } = word;
    format!("{kind} \"{name}\" {} {priority}\n", what.name())
}

fn letter(word: &Word, at: SystemTime) -> Option<Letter> {
    let (title, all) = match word.kind {
        "GROUP" => ("VRRP Group", true),
        _ => ("VRRP Instance", false),
    };
    let said = match (word.what, all) {
        (What::Master, false) => "VRRP Instance is now owning VRRP VIPs".to_owned(),
        (What::Backup, false) => "VRRP Instance is nolonger owning VRRP VIPs".to_owned(),
        (What::Fault, false) => "VRRP Instance has a fault, and owns no VRRP VIPs".to_owned(),
        (What::Stop, false) => "VRRP Instance has stopped".to_owned(),
        (What::Master | What::Backup | What::Fault, true) => {
            let state = word.what.name();
            format!("All VRRP group instances are now in {state} state")
        }
        _ => return None,
    };
    let (name, state) = (word.name, word.what.name());
    Some(Letter {
        subject: format!("{title} {name} - Entering {state} state"),
        body: format!("=> {said} <=\n"),
        at,
    })
}

#[cfg(test)]
mod tests {
    use rlvs_vrrp::Why;

    use super::*;

    const SITE: &str = r#"
[alerts.mail]
to = ["ops@example.org"]
no_faults = true

[[vrrp.instance]]
name = "VI 1"
smtp_alert = true
notify = { master = "/bin/m now", any = "/bin/any x", stop = "/bin/stop", tell_deleted = true }

[[vrrp.sync_group]]
name = "G"
group = ["VI 1"]
notify = { any = "/bin/group" }
"#;

    fn told(event: Event) -> Told {
        Told::Instance {
            name: "VI 1".into(),
            event,
            why: None,
            priority: 120,
            is_master: true,
            deleted: false,
        }
    }

    fn to(to: State) -> Event {
        Event::State {
            from: State::Backup,
            to,
            why: Why::NoMaster,
            priority: 100,
        }
    }

    fn tell(told: &Told) -> (Vec<String>, String, Option<String>) {
        let reading = rlvs_config::written::read("site.toml".as_ref(), SITE.to_owned());
        let site = reading
            .unwrap_or_else(|it| panic!("{}", it.pictures()))
            .site;
        let telling = telling(&site.vrrp, &site.alerts, told, SystemTime::now());
        (
            telling.commands.iter().map(Command::text).collect(),
            telling.line.unwrap_or_default(),
            telling.letter.map(|it| it.subject),
        )
    }

    #[test]
    fn they_are_told_as_by_keepalived() {
        let (commands, line, letter) = tell(&told(to(State::Master)));
        assert_eq!(
            commands,
            ["/bin/m now", "/bin/any x INSTANCE 'VI 1' MASTER 120"]
        );
        assert_eq!(line, "INSTANCE \"VI 1\" MASTER 120\n");
        assert_eq!(
            letter.unwrap(),
            "VRRP Instance VI 1 - Entering MASTER state"
        );

        let (commands, line, letter) = tell(&told(to(State::Fault)));
        assert_eq!(commands, ["/bin/any x INSTANCE 'VI 1' FAULT 120"]);
        assert_eq!(line, "INSTANCE \"VI 1\" FAULT 120\n");
        assert_eq!(letter, None);

        let (commands, line, _) = tell(&told(to(State::Initialize)));
        assert_eq!(
            commands,
            ["/bin/stop", "/bin/any x INSTANCE 'VI 1' STOP 120"]
        );
        assert_eq!(line, "INSTANCE \"VI 1\" STOP 120\n");

        let group = Told::Group {
            name: "G".into(),
            from: State::Backup,
            to: State::Master,
        };
        let (commands, line, letter) = tell(&group);
        assert_eq!(commands, ["/bin/group GROUP G MASTER 0"]);
        assert_eq!(line, "GROUP \"G\" MASTER 0\n");
        assert_eq!(letter, None);
    }

    #[test]
    fn what_nobody_asked_for_is_not_told() {
        let priority = told(Event::Priority { from: 1, to: 2 });
        assert_eq!(tell(&priority), (vec![], String::new(), None));
        let lower = told(Event::LowerPriority {
            source: [10, 0, 0, 1].into(),
            priority: 7,
        });
        let (commands, line, _) = tell(&lower);
        assert_eq!(commands, [""; 0]);
        assert_eq!(line, "INSTANCE \"VI 1\" MASTER_RX_LOWER_PRI 120\n");
    }
}
