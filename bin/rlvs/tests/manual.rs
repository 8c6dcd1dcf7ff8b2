//! What is made from the definitions of command lines, as shells and readers get it.

use std::fs;
use std::process::Command;

fn rlvs(arguments: &[&str]) -> String {
    output(Command::new(env!("CARGO_BIN_EXE_rlvs")).args(arguments))
}

fn output(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8(output.stdout).expect("text")
}

/// What bash would offer for the last of `words`.
fn offered(program: &str, words: &[&str]) -> Vec<String> {
    let completions = rlvs(&["completions", "bash", "--for", program]);
    let function = completions
        .lines()
        .find_map(|line| line.strip_suffix("() {"));
    let (function, last) = (function.expect("a function"), words.len() - 1);
    let current = words[last];
    let previous = if last > 0 { words[last - 1] } else { "" };
    let ask = format!(
        "{completions}\nCOMP_WORDS=({}) COMP_CWORD={last}\n{function} {} '{current}' '{previous}'\n\
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        words.join(" "),
        words[0],
    );
    let text = output(Command::new("bash").args(["--norc", "-c", &ask]));
    text.lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_commands_flags_and_values() {
    assert_eq!(offered("rlvs", &["rlvs", "undr"]), ["undrain"]);
    assert_eq!(
        offered("rlvs", &["rlvs", "drain", "--dead"]),
        ["--deadline"]
    );
    let flags = offered("ipvsadm", &["ipvsadm", "--ad"]);
    assert_eq!(flags, ["--add-service", "--add-server", "--add-laddr"]);
    let schedulers = offered("ipvsadm", &["ipvsadm", "-A", "-s", "lb"]);
    assert_eq!(schedulers, ["lblc", "lblcr"]);
    assert_eq!(offered("ipvsadm-save", &["ipvsadm-save", "-"]), ["-n"]);
}

#[test]
fn other_shells_have_all_of_it_too() {
    for shell in ["zsh", "fish"] {
        assert!(rlvs(&["completions", shell]).contains("undrain"), "{shell}");
        let text = rlvs(&["completions", shell, "--for", "ipvsadm"]);
        for name in ["fwmark-service", "lblcr", "gue"] {
            assert!(text.contains(name), "{shell}: {name}");
        }
    }
}

#[test]
fn every_command_has_a_page() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("man8");
    rlvs(&["manual", path.to_str().expect("a path")]);
    let pages = [
        ("rlvs.8", "rlvs\\-drain(8)"),
        ("rlvs-drain.8", "\\fBrlvs drain\\fR"),
        ("rlvs-realserver-up.8", "\\fBrlvs realserver up\\fR"),
        ("ipvsadm.8", "\\-\\-fwmark\\-service"),
        ("ipvsadm-save.8", "\\fB\\-n\\fR"),
        ("ipvsadm-restore.8", ".TH ipvsadm-restore 8"),
    ];
    for (page, expected) in pages {
        let text = fs::read_to_string(path.join(page)).unwrap_or_default();
        assert!(text.contains(expected), "{page}: {text}");
    }
}
