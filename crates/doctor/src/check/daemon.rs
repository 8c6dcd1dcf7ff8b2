//! Whether a director runs here.

use crate::facts::{Director, DirectorFacts, Facts};
use crate::finding::Finding;

const ID: &str = "director";

pub(super) fn check(_: &Facts, known: &DirectorFacts) -> Vec<Finding> {
    vec![match &known.director {
        Director::Running(running) => {
            let services = running.services.len();
            Finding::ok(ID, format!("runs; virtual services: {services}"))
        }
        Director::Absent { installed: false } => {
            Finding::note(ID, "no director runs in this network namespace")
                .means("so what only some services need is no more than a note")
                .mend("rlvs run")
        }
        Director::Absent { installed: true } => Finding::warning(
            ID,
            "the daemon is gone; what it installed is still at work",
        )
        .means("no command works, connections do not expire, changed MAC addresses stay unseen")
        .mend("rlvs run"),
        Director::Silent { reason } => {
            Finding::error(ID, format!("the director does not answer: {reason}"))
                .means("its services, virtual addresses and real servers could not be checked")
        }
    }]
}

#[cfg(test)]
mod tests {
    use rlvs_control::ForwardingMethod;

    use super::*;
    use crate::Severity;
    use crate::check::sample::{facts, machine, running, with};

    fn severity(known: &DirectorFacts) -> Severity {
        check(&facts(), known)[0].severity
    }

    #[test]
    fn a_director_may_be_absent_but_not_half() {
        assert_eq!(
            severity(&with(running(ForwardingMethod::Route))),
            Severity::Ok
        );
        let mut machine = machine();
        assert_eq!(severity(&machine), Severity::Note);
        machine.director = Director::Absent { installed: true };
        assert_eq!(severity(&machine), Severity::Warning);
        let reason = "timeout".to_owned();
        machine.director = Director::Silent { reason };
        assert_eq!(severity(&machine), Severity::Error);
    }
}
