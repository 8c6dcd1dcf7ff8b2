//! The example is the defaults; every error says where and what.

use std::path::Path;

use super::*;

#[test]
fn the_example_is_the_defaults() {
    let text = include_str!("../../../../docs/rlvs.toml");
    assert_eq!(parse(text).unwrap(), Config::default());
}

#[test]
fn the_example_knows_every_key() {
    let text = include_str!("../../../../docs/rlvs.toml");
    let commented_in: String = text.lines().map(uncomment).collect();
    let config = parse(&commented_in).unwrap();
    assert_eq!(config.connections_ipv6, Some(1_000_000));
    assert!(config.interfaces.wants("eth0") && !config.interfaces.wants("eth2"));
    assert_eq!(config.interfaces.mode_of("eth1"), Mode::Generic);
    assert_eq!(config.control.group.as_deref(), Some("adm"));
}

/// `#key = value` is an example, `# Text` an explanation.
fn uncomment(line: &str) -> String {
    match line.strip_prefix('#') {
        Some(example) if !example.is_empty() && !example.starts_with(' ') => format!("{example}\n"),
        _ => format!("{line}\n"),
    }
}

#[test]
fn an_empty_file_is_the_defaults() {
    assert_eq!(parse("").unwrap(), Config::default());
}

#[test]
fn the_ipv6_table_is_as_large_as_the_other_one_unless_said() {
    assert_eq!(parse("connections = 5").unwrap().ipv6_connections(), 5);
    let apart = parse("connections = 5\nconnections_ipv6 = 7").unwrap();
    assert_eq!((apart.connections, apart.ipv6_connections()), (5, 7));
}

#[test]
fn every_interface_but_lo_is_wanted_unless_named() {
    let all = Interfaces::default();
    assert!(all.wants("eth0") && !all.wants("lo"));
    let named = parse("interfaces.names = ['lo']").unwrap().interfaces;
    assert!(named.wants("lo") && !named.wants("eth0"));
}

#[test]
fn the_mode_of_one_interface_comes_first() {
    let text = "[interfaces]\nmode = 'native'\nmodes.eth1 = 'generic'";
    let interfaces = parse(text).unwrap().interfaces;
    assert_eq!(interfaces.mode_of("eth0"), Mode::Native);
    assert_eq!(interfaces.mode_of("eth1"), Mode::Generic);
}

#[test]
fn errors_name_place_and_mend() {
    for (text, error) in ERRORS {
        assert_eq!(parse(text).unwrap_err().to_string(), *error, "{text}");
    }
}

const ERRORS: &[(&str, &str)] = &[
];

#[test]
fn only_the_default_file_may_be_missing() {
    let error = Config::load(Some(Path::new("/nonexistent/x.toml"))).unwrap_err();
    assert_eq!(
        error.to_string(),
        "/nonexistent/x.toml: No such file or directory (os error 2)"
    );
}

fn parse(text: &str) -> Result<Config, Error> {
    Config::parse(text, Path::new("x.toml"))
}
