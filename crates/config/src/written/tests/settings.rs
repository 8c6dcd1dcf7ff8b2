//! The example is the defaults; every error says where and what.

use std::path::Path;

use crate::settings::{Interfaces, Mode, Settings};

#[test]
fn the_example_is_the_defaults() {
    let text = include_str!("../../../../../docs/rlvs.toml");
    assert_eq!(parse(text).unwrap(), Settings::default());
}

#[test]
fn the_example_knows_every_key() {
    let text = include_str!("../../../../../docs/rlvs.toml");
    let commented_in: String = text.lines().map(uncomment).collect();
    let config = parse(&commented_in).unwrap();
    assert_eq!(config.connections_ipv6, Some(1_000_000));
    assert!(config.interfaces.wants("eth0") && !config.interfaces.wants("eth2"));
    assert_eq!(config.interfaces.mode_of("eth1"), Mode::Generic);
    assert_eq!(config.control.group.as_deref(), Some("adm"));
    assert_eq!(config.api.listen.0, ["0.0.0.0:7443".parse().unwrap()]);
    assert!(config.api.certificate.is_some() && config.api.tokens.is_some());
    assert_eq!(config.metrics.listen.0.len(), 2);
    let keys = |of: &str| {
        schema()["$defs"][of]["properties"]
            .as_object()
            .unwrap()
            .clone()
    };
    for key in keys("WrittenService")
        .keys()
        .chain(keys("WrittenReal").keys())
    {
        let known = [
            "sctp",
            "mark_ipv6",
            "prefix_length",
            "persistence_engine",
            "client_address",
        ];
        let is_said = text.contains(&format!("{key} = ")) || known.contains(&key.as_str());
        assert!(is_said, "the example does not speak of `{key}`");
    }
}

fn schema() -> serde_json::Value {
    serde_json::from_str(&crate::written::schema()).unwrap()
}

/// `rlvs schema > docs/rlvs.schema.json` makes it so.
#[test]
fn the_schema_in_the_documents_is_current() {
    let kept = include_str!("../../../../../docs/rlvs.schema.json");
    assert!(
        kept == crate::written::schema(),
        "docs/rlvs.schema.json is old: see above"
    );
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
    assert_eq!(parse("").unwrap(), Settings::default());
}

#[test]
fn the_ipv6_table_is_as_large_as_the_other_one_unless_said() {
    assert_eq!(parse("connections = 5").unwrap().ipv6_connections(), 5);
    let apart = parse("connections = 5\nconnections_ipv6 = 7").unwrap();
    assert_eq!((apart.connections, apart.ipv6_connections()), (5, 7));
}

#[test]
fn every_interface_is_wanted_unless_some_are_named() {
    let all = Interfaces::default();
    assert!(all.wants("eth0") && all.wants("lo"));
    let named = parse("interfaces.names = ['eth1']").unwrap().interfaces;
    assert!(named.wants("eth1") && named.wants("lo") && !named.wants("eth0"));
    let without = parse("interfaces.loopback = false").unwrap().interfaces;
    assert!(without.wants("eth0") && !without.wants("lo"));
}

#[test]
fn the_mode_of_one_interface_comes_first() {
    let text = "[interfaces]\nmode = 'native'\nmodes.eth1 = 'generic'";
    let interfaces = parse(text).unwrap().interfaces;
    assert_eq!(interfaces.mode_of("eth0"), Mode::Native);
    assert_eq!(interfaces.mode_of("eth1"), Mode::Generic);
}

#[test]
fn settings_of_ipvs_have_their_names_and_values() {
    let text =
        "[sysctl]\nsloppy_tcp = 1\nsync_threshold = '3 50'\n'net.ipv4.vs.expire_nodest_conn' = 2";
    let expected = [
        ("expire_nodest_conn", "2"),
        ("sloppy_tcp", "1"),
        ("sync_threshold", "3\t50"),
    ];
    let sysctl = parse(text).unwrap().sysctl;
    assert_eq!(
        sysctl,
        expected
            .map(|(name, value)| (name, value.to_owned()))
            .into()
    );
    let slip = parse("[sysctl]\nslopy_tcp = 1").unwrap_err();
    assert!(
        slip.starts_with("x.toml:2:1: sysctl.slopy_tcp: unknown field `slopy_tcp`"),
        "{slip}"
    );
    assert!(slip.ends_with("; did you mean `sloppy_tcp`?"), "{slip}");
}

#[test]
fn errors_name_place_and_mend() {
    for (text, error) in ERRORS {
        assert_eq!(parse(text).unwrap_err(), *error, "{text}");
    }
}

const ERRORS: &[(&str, &str)] = &[
    (
        "conections = 5",
        "x.toml:1:1: conections: unknown field `conections`; did you mean `connections`?",
    ),
    (
        "x = 1",
        "x.toml:1:1: x: unknown field `x`, expected one of `include`, `connections`, \
         `connections_ipv6`, `services`, `destinations`, `interfaces`, `control`, `api`, \
         `metrics`, `log`, `ipvsadm`, `stop`, `sync`, `sysctl`, `timeouts`, `check`, `alerts`, `address`, \
         `service`, `vrrp`",
    ),
    (
        "[sync]\npeers = ['10.0.0.2:8849']",
        "x.toml:1:1: sync: `listen`, `peers` and `secret` go together: where this director is, where \
         the others are, and what they share",
    ),
    (
        "[sync]\nlisten = '10.0.0.1:8849'\npeers = ['10.0.0.1:8850']\nsecret = '/s'",
        "x.toml:1:1: sync: each director has an address of its own: one is there twice",
    ),
    (
        "[sync]\nlisten = '0.0.0.0:8849'\npeers = ['10.0.0.1:8850']\nsecret = '/s'",
        "x.toml:1:1: sync: `0.0.0.0:8849` is no address with a port",
    ),
    (
        "[contrl]\ngroup = 'adm'",
        "x.toml:1:2: contrl: unknown field `contrl`; did you mean `control`?",
    ),
    (
        "[interfaces]\nmdoe = 'native'",
        "x.toml:2:1: interfaces.mdoe: unknown field `mdoe`; did you mean `mode`?",
    ),
    (
        "[interfaces]\nmode = 'natve'",
        "x.toml:2:8: interfaces.mode: unknown variant `natve`; did you mean `native`?",
    ),
    (
        "[interfaces.modes]\neth0 = 'drv'",
        "x.toml:2:8: interfaces.modes.eth0: unknown variant `drv`, expected one of `auto`, \
         `native`, `generic`, `tc`",
    ),
    (
        "# über\n  connections = 0",
        "x.toml:2:17: connections: invalid value: integer `0`, expected a number from 1 to \
         67108864",
    ),
    (
        "connections = 67_108_865",
        "x.toml:1:15: connections: invalid value: integer `67108865`, expected a number from \
         1 to 67108864",
    ),
    (
        "connections_ipv6 = -1",
        "x.toml:1:20: connections_ipv6: invalid value: integer `-1`, expected a number from 1 \
         to 67108864",
    ),
    (
        "services = 65537",
        "x.toml:1:12: services: invalid value: integer `65537`, expected a number from 1 to \
         65536",
    ),
    (
        "destinations = 'many'",
        "x.toml:1:16: destinations: invalid type: string \"many\", expected a number from 1 \
         to 1048576",
    ),
    (
        "[sysctl]\nsloppy_tcp = 'on'",
        "x.toml:2:14: sysctl.sloppy_tcp: net.ipv4.vs.sloppy_tcp takes a number from -2147483648 to \
         2147483647, not `on'",
    ),
    (
        "[sysctl]\nsloppy_tcp = 1\ndrop_entry = 4",
        "x.toml:3:14: sysctl.drop_entry: net.ipv4.vs.drop_entry takes a number from 0 to 3, not `4'",
    ),
    (
        "[sysctl]\nsnat_reroute = 0",
        "x.toml:2:16: sysctl.snat_reroute: net.ipv4.vs.snat_reroute stays 1 in rlvs: they come in \
         before the stack has routed them, so they are always routed here",
    ),
    (
        "[interfaces]\nnames = []",
        "x.toml:2:9: interfaces.names: no interface is named; leave `names` out to take every \
         one that is up",
    ),
    (
        "[interfaces]\nnames = ['eth0', 'a b']",
        "x.toml:2:9: interfaces.names: `a b` is no interface name: 1 to 15 bytes without \
         space, `/` or `:`",
    ),
    (
        "[interfaces.modes]\n'a/b' = 'native'",
        "x.toml:1:1: interfaces.modes: `a/b` is no interface name: 1 to 15 bytes without \
         space, `/` or `:`",
    ),
    (
        "services = 1\n[interfaces]\nnames = ['eth0']\nmodes.eth1 = 'native'",
        "x.toml:2:1: interfaces: `eth1` has a mode, but is not among the interfaces named by \
         `names`",
    ),
    (
        "[api]\nlisten = '192.0.2.1'",
        "x.toml:2:10: api.listen: `192.0.2.1` is no address with a port: write 127.0.0.1:7443 or \
         [::1]:7443",
    ),
    (
        "[api]\nlisten = ['[::1]:7443', '[::1]:7443']",
        "x.toml:2:10: api.listen: `[::1]:7443` has the port 0, or is there twice",
    ),
    (
        "[api]\nlisten = '[::1]:7443'",
        "x.toml:1:1: api: who asks at [::1]:7443 says so by a token: name a file of `tokens`, which \
         `rlvs token` makes",
    ),
    (
        "[api]\nlisten = ['127.0.0.1:7443', '0.0.0.0:7443']\ntokens = '/t'",
        "x.toml:1:1: api: 0.0.0.0:7443 can be reached from outside, and tokens must not be read on \
         the way: name `certificate` and `key`, or listen at 127.0.0.1 or [::1]",
    ),
    (
        "[api]\ncertificate = '/c.pem'",
        "x.toml:1:1: api: `certificate` and `key` go together: name both files",
    ),
    (
        "[api]\ntokens = 'tokens'",
        "x.toml:1:1: api: `tokens` is no whole path: begin it with `/`",
    ),
    (
        "[log]\nformat = 'xml'",
        "x.toml:2:10: log.format: unknown variant `xml`, expected `text` or `json`",
    ),
    (
        "control = 5",
        "x.toml:1:11: control: invalid type: integer `5`, expected a table",
    ),
    ("services = 5\nservices = 6", "x.toml:2:1: duplicate key"),
    ("services 5", "x.toml:1:10: key with no value, expected `=`"),
];

fn parse(text: &str) -> Result<Settings, String> {
    let reading = crate::written::read(Path::new("x.toml"), text.to_owned());
    reading
        .map(|reading| reading.site.settings)
        .map_err(|failure| failure.to_string())
}

/// The tables of checks that the schema tells by hand.
#[test]
fn the_schema_knows_the_options_of_checks() {
    use rlvs_check::spec::{Dns, Reply, Tls, Udp, Url};
    let schema = schema();
    let is_known = |of: &str, value: serde_json::Value| {
        let known = schema["$defs"][of]["properties"].as_object().unwrap();
        for key in value.as_object().unwrap().keys() {
            assert!(known.contains_key(key), "{of}.{key}");
        }
    };
    is_known("Dns", serde_json::to_value(Dns::default()).unwrap());
    is_known("Tls", serde_json::to_value(Tls::default()).unwrap());
    is_known("Url", serde_json::to_value(Url::new("/")).unwrap());
    let reply = Some(Reply::default());
    let udp = Udp {
        payload: None,
        reply,
    };
    is_known("Udp", serde_json::to_value(udp).unwrap());
}
