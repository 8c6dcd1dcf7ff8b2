//! What the walk says: headings, commands at a prompt, their output.

use anyhow::Result;
use rlvs_lab::Host;

use crate::console::{bold, dim, green};

/// Begins a chapter.
pub(super) fn heading(text: &str) {
    println!("\n{}", bold(&format!("── {text} ──")));
}

/// A remark.
pub(super) fn say(text: &str) {
    println!("{}", dim(text));
}

/// Shows `line` at the host's prompt.
pub(super) fn prompt(host: &Host, line: &str) {
    println!("{} {}", green(&format!("{}#", host.name())), bold(line));
}

/// Runs `line` in the shell of `host` as if it were typed; shows and returns its output.
pub(super) fn typed(host: &Host, line: &str) -> Result<String> {
    prompt(host, line);
    let output = host.shell(line)?;
    print!("{output}");
    Ok(output)
}
