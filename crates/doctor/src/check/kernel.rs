//! The kernel: its version, and whether it takes BPF programs.

use crate::facts::{DirectorFacts, Facts, Kernel};
use crate::finding::Finding;
use crate::sysctl;

/// The oldest that the data plane loads on.
const LEAST: (u32, u32) = (6, 1);
const JIT: &str = "net/core/bpf_jit_enable";

pub(super) fn check(facts: &Facts, known: &DirectorFacts) -> Vec<Finding> {
    let kernel = &known.kernel;
    vec![
        version(kernel),
        bpf(kernel),
        bpffs(kernel),
        btf(kernel),
        jit(facts),
    ]
}

/// Major and minor number of a release.
pub(super) fn numbers(release: &str) -> Option<(u32, u32)> {
    let mut parts = release.split(|c: char| !c.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

fn version(kernel: &Kernel) -> Finding {
    let release = &kernel.release;
    match numbers(release) {
        Some(numbers) if numbers < LEAST => {
            Finding::error("kernel-version", format!("Linux {release} is too old"))
                .means("the data plane needs 6.1 or later: install a newer kernel")
        }
        _ => Finding::ok("kernel-version", format!("Linux {release}")),
    }
}

fn bpf(kernel: &Kernel) -> Finding {
    match &kernel.bpf {
        Some(reason) => Finding::error("bpf", format!("no BPF program can be loaded: {reason}"))
            .means("a director needs root, or CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN")
            .mend("sudo rlvs doctor"),
        None => Finding::ok("bpf", "programs can be loaded"),
    }
}

fn bpffs(kernel: &Kernel) -> Finding {
    if kernel.bpffs {
        return Finding::ok("bpffs", "a BPF file system is mounted");
    }
    Finding::note("bpffs", "no BPF file system is mounted")
        .means("programs and maps are kept there; the director mounts it when it starts")
        .mend("mount -t bpf bpf /sys/fs/bpf")
}

fn btf(kernel: &Kernel) -> Finding {
    if kernel.btf {
        return Finding::ok("btf", "the kernel describes its types");
    }
    Finding::error("btf", "there is no /sys/kernel/btf/vmlinux")
        .means("the data plane cannot be loaded: install a kernel with CONFIG_DEBUG_INFO_BTF=y")
}

fn jit(facts: &Facts) -> Finding {
    match facts.sysctls.get(JIT) {
        Some(0) => Finding::warning("bpf-jit", "BPF programs are interpreted")
            .means("every packet costs several times as much as it must")
            .mend(sysctl::command(JIT, 1)),
        Some(_) => Finding::ok("bpf-jit", "BPF programs are compiled"),
        None => Finding::ok("bpf-jit", "not shown in this network namespace"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Severity;
    use crate::check::sample::{facts, faults, machine};

    #[test]
    fn numbers_of_a_release() {
        assert_eq!(numbers("6.1.0-28-amd64"), Some((6, 1)));
        assert_eq!(numbers("6.12-rc1"), Some((6, 12)));
        assert_eq!(numbers("linux"), None);
    }

    #[test]
    fn a_good_kernel() {
        assert_eq!(faults(&check(&facts(), &machine())), []);
    }

    #[test]
    fn all_that_may_be_wrong_with_a_kernel() {
        let mut facts = facts();
        facts.sysctls.set(JIT, 0);
        let mut machine = machine();
        machine.kernel = Kernel {
            release: "5.10.0".into(),
            bpf: Some("permission denied".into()),
            ..Kernel::default()
        };
        let expected = [
            ("kernel-version", Severity::Error),
            ("bpf", Severity::Error),
            ("bpffs", Severity::Note),
            ("btf", Severity::Error),
            ("bpf-jit", Severity::Warning),
        ];
        let expected = expected.map(|(id, severity)| (id.to_owned(), severity));
        assert_eq!(faults(&check(&facts, &machine)), expected);
    }
}
