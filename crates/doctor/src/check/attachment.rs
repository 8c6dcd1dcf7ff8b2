//! Whether the director's program is where packets come in.

use crate::facts::{Facts, Running};
use crate::finding::Finding;

const ID: &str = "attachment";

pub(super) fn check(facts: &Facts, running: &Running) -> Vec<Finding> {
    let of_interface = |name: &String| match running.detached.get(name) {
        _ if running.leaves_out(name) => {
            Finding::ok(ID, "left out by the configuration, or a port")
        }
        Some(reason) => Finding::warning(ID, format!("no program on it: {reason}"))
            .means("what arrives there is not balanced"),
        None => Finding::ok(ID, "the director's program is on it"),
    };
    facts
        .segments()
        .map(|interface| of_interface(&interface.name).about(&interface.name))
        .collect()
}

#[cfg(test)]
mod tests {
    use rlvs_control::ForwardingMethod;

    use super::*;
    use crate::Severity::{Ok, Warning};
    use crate::check::sample;

    #[test]
    fn an_interface_may_be_left_out_but_not_refused() {
        let facts = sample::facts();
        let mut running = sample::running(ForwardingMethod::Route);
        assert_eq!(check(&facts, &running)[0].severity, Ok);
        for (reason, severity) in [
            ("not among the configured interfaces", Ok),
            ("the kernel refused: EINVAL", Warning),
        ] {
            running.detached.insert("eth0".into(), reason.into());
            assert_eq!(check(&facts, &running)[0].severity, severity);
        }
    }
}
