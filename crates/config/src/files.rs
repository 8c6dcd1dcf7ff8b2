//! Files that a configuration includes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// A path that names more files than this by its braces is a slip.
const MOST_ALTERNATIVES: usize = 1024;

/// The files that `pattern` stands for, seen from `directory`, sorted; braces of csh are expanded.
pub(crate) fn matching(directory: &Path, pattern: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for alternative in alternatives(pattern) {
        let path = directory.join(&alternative);
        if is_pattern(&alternative) {
            let paths = path.to_str().and_then(|text| glob::glob(text).ok());
            found.extend(paths.into_iter().flatten().flatten());
        } else if path.exists() {
            found.push(path);
        }
    }
    found
}

/// Whether several files may match.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// Reads a text; bytes that are no UTF-8 are replaced, as they can only be in comments and names.
pub(crate) fn read(path: &Path) -> io::Result<String> {
    let bytes = fs::read(path)?;
    Ok(String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

/// `a{b,c}d` is `abd` and `acd`; nested too.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(text) = open.pop() {
        if done.len() + open.len() > MOST_ALTERNATIVES {
            break;
        }
        match first_braces(&text) {
            None => done.push(text),
            Some((start, end)) => {
                let parts = parts(&text[start + 1..end]);
                let whole = |part: &&str| [&text[..start], part, &text[end + 1..]].concat();
                open.extend(parts.iter().rev().map(whole));
            }
        }
    }
    done
}

/// Where the first pair of braces is.
fn first_braces(text: &str) -> Option<(usize, usize)> {
    let start = text.find('{')?;
    let mut depth = 0_usize;
    for (index, byte) in text.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return Some((start, index)),
            b'}' => depth -= 1,
            _ => {}
        }
    }
    None
}

/// What commas outside of braces separate.
pub(crate) fn parts(text: &str) -> Vec<&str> {
    let (mut parts, mut depth, mut start) = (Vec::new(), 0_usize, 0);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn braces_are_alternatives() {
        for (pattern, expected) in [
            ("a", vec!["a"]),
            (
                "{foo/{,cat,dog},bar}",
                vec!["foo/", "foo/cat", "foo/dog", "bar"],
            ),
            ("x{1,2}y{3,4}", vec!["x1y3", "x1y4", "x2y3", "x2y4"]),
            ("open{1,2", vec!["open{1,2"]),
            ("a}b,c", vec!["a}b,c"]),
        ] {
            assert_eq!(alternatives(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn many_braces_end() {
        assert!(alternatives(&"{a,b}".repeat(60)).len() <= MOST_ALTERNATIVES + 1);
    }
}
