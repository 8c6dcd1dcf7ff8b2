//! Lines, blocks, conditions, parameters, sequences.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::super::{Options, Statement, tree};

fn options() -> Options {
    Options {
        config_id: "me".to_owned(),
        instance: "one".to_owned(),
        random: 7,
    }
}

/// The tree in one line: `a b { c; d }; e`.
fn render(statements: &[Statement]) -> String {
    let one = |statement: &Statement| {
        let words = statement.words.iter().map(|word| word.text.as_str());
        let mut text = words.collect::<Vec<_>>().join(" ");
        if let Some(block) = &statement.block {
            text += &format!(" {{ {} }}", render(&block.statements));
        }
        text
    };
    statements.iter().map(one).collect::<Vec<_>>().join("; ")
}

fn read(text: &str) -> (String, Vec<String>) {
    let (statements, sources, problems) = tree(Path::new("x"), text.to_owned(), &options());
    let problems = problems.iter().map(|problem| problem.line(&sources));
    (render(&statements), problems.collect())
}

#[test]
fn blocks_begin_and_end_anywhere() {
    for (text, expected) in [
        ("a b { c\n d }\ne", "a b { c; d }; e"),
        ("a\n\n{ # x\nb}\n", "a { b }"),
        ("a{b{c d}e}f", "a { b { c d }; e }; f"),
        ("a \"{\" { b '}' }", "a { { b } }"),
        ("! all\n#more\n", ""),
    ] {
        assert_eq!(read(text), (expected.to_owned(), vec![]), "{text}");
    }
}

#[test]
fn braces_that_do_not_match_are_told() {
    for (text, tree, problem) in [
        (
            "a {\n b",
            "a { b }",
            "x:1:3: the block that begins here has no end: a `}` is missing",
        ),
        ("a\n}\nb", "a; b", "x:2:1: this `}` ends no block"),
        (
            "{ a }",
            " { a }",
            "x:1:1: no keyword stands before this `{`",
        ),
        (
            "a \"b",
            "a b",
            "x:1:1: the quote is not closed; a quoted text ends on the line it begins on",
        ),
    ] {
        assert_eq!(
            read(text),
            (tree.to_owned(), vec![problem.to_owned()]),
            "{text}"
        );
    }
}

#[test]
fn conditions_choose_lines() {
    let text = "@me a\n@you b\n@^me c\n@^you d\n x @you y\n$IF=@me\n$IF e\n@me $P=1\n@you $P=2\n$P";
    assert_eq!(read(text).0, "a; d; x @you y; e; 1");
}

#[test]
fn parameters_are_replaced_when_used() {
    for (text, expected) in [
        (
            "$A=1\n$A ${A}x x$A $AB $A$A ${B}",
            "1 1x x1 $AB $A1 $ { B }",
        ),
        (
            "$B=10.${S}\n$S=0\nx ${B}.1\n$S=9\nx ${B}.1",
            "x 10.0.1; x 10.9.1",
        ),
        ("$E=\na ${E}b $E c", "a b c"),
        (
            "x ${_HASH}1 ${_BANG} ${_INSTANCE} ${_NO}",
            "x #1 ! one $ { _NO }",
        ),
        (
            "$I= \\\n a ${N} { \\\n\n @me b \\\n @you c \\\n }\n$N=1\n$I\n$N=2\n$I",
            "a 1 { b }; a 2 { b }",
        ),
        (
            "$R= \\\n r ${V}.${N}\n$L= \\\n v { \\\n $N=1 \\\n $R \\\n $N=2 \\\n $R \\\n }\n$V=7\n$L",
            "v { r 7.1; r 7.2 }",
        ),
    ] {
        let (tree, problems) = read(text);
        assert_eq!(tree, expected, "{text}");
        assert!(
            problems.is_empty() || text.contains("_NO") || text.contains("${B}\n"),
            "{problems:?}"
        );
    }
}

#[test]
fn sequences_and_lists_repeat_their_line() {
    for (text, expected) in [
        ("~SEQ(A,3) b${A}", "b1; b2; b3"),
        ("~SEQ(A, 2, 1) b${A}", "b2; b1"),
        ("~SEQ(A,-2) b${A}", "b-1; b-2"),
        ("~SEQ(A,0,3,7) b${A}", "b0; b3; b6"),
        ("~SEQx(A,0x1e,1,0x21) b${A}", "b1e; b1f; b20; b21"),
        ("$N=2\n~SEQ(A,${N}) b$A", "b1; b2"),
        ("~LST({D,E},{1,2},{3,4}) y${D}${E}", "y12; y34"),
        ("~LST(F, a, b)z$F", "za; zb"),
        ("~SEQ(A,2) ~LST(B,x,y) ${A}${B}", "1x; 1y; 2x; 2y"),
        ("$V= \\\n a $N { \\\n }\n~SEQ(N,2) $V", "a 1 { }; a 2 { }"),
    ] {
        let (tree, problems) = read(text);
        assert_eq!(tree.replace("  ", " "), expected, "{text}");
        assert_eq!(problems, Vec::<String>::new(), "{text}");
    }
}

#[test]
fn what_grows_without_end_is_stopped() {
    for text in [
        "$A=${A}${A}\nx $A",
        "$A= \\\n ${A} \\\n ${A}\n$A",
        "~SEQ(A,9999999999) x",
        "~SEQ(A,9000) ~SEQ(B,9000) ~SEQ(C,9000) x",
        "$A= \\\n ~SEQ(N,1000) $A\n$A",
    ] {
        assert_eq!(read(text).1.len(), 1, "{text}");
    }
}

#[test]
fn files_include_files_beside_them() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::create_dir(at("d")).unwrap();
    fs::write(at("d/1.conf"), "one ${_PWD}\ninclude 2.inc\n").unwrap();
    fs::write(at("d/2.inc"), "two\n").unwrap();
    fs::write(at("d/3.conf"), "three").unwrap();
    fs::write(at("loop"), "include loop\n").unwrap();
    let read = |text: &str| {
        let (statements, sources, problems) = tree(&at("x"), text.to_owned(), &options());
        let problems = problems.iter();
        let problems = problems.map(|problem| (problem.severity, problem.line(&sources)));
        (render(&statements), problems.collect::<Vec<_>>())
    };
    let home = at("d").display().to_string();
    let both = format!("a {{ one {home}; two; three }}");
    assert_eq!(read("a {\n include d/*.conf\n}"), (both.clone(), vec![]));
    assert_eq!(read("a {\n includea d/{1,3}.conf\n}"), (both, vec![]));
    for (text, severity) in [
        ("include none", crate::problem::Severity::Warning),
        ("include no*", crate::problem::Severity::Warning),
        ("includer none", crate::problem::Severity::Error),
        ("includew no*", crate::problem::Severity::Error),
        (
            "global_defs {\n include_check\n}\ninclude no*",
            crate::problem::Severity::Error,
        ),
        ("include loop", crate::problem::Severity::Error),
    ] {
        let problems = read(text).1;
        assert_eq!(problems.len(), 1, "{text}: {problems:?}");
        assert_eq!(problems[0].0, severity, "{text}");
    }
}

proptest! {
    #[test]
    fn nonsense_is_read(text in "[ \\t\na-c${}~@^#!\"'\\\\(),0-9=SEQLTx]{0,200}") {
        let _ = read(&text);
    }

    #[test]
    fn any_text_is_read(text in any::<String>()) {
        let _ = read(&text);
    }
}
