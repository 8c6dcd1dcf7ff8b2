//! The table on the screen; a row as soon as it is known.

use super::clock::Measured;

#[derive(Debug)]
pub(super) struct Table;

impl Table {
    pub(super) fn begin() -> Self {
        println!(
            "seconds, medians; MB: the program's memory at its peak, and what the director's grew"
        );
        println!();
        println!(
            "{:<28} {:>9} {:>9} {:>9} {:>8} {:>8} {:>9}",
            "", "kernel", "rlvs", "ratio", "its MB", "our MB", "director"
        );
        Self
    }

    pub(super) fn row(&self, name: &str, kernel: Option<&Measured>, ours: &Measured) {
        let own = ours.time.as_secs_f64();
        let of_kernel = |text: fn(&Measured, f64) -> String| {
            kernel.map_or_else(|| "-".to_owned(), |kernel| text(kernel, own))
        };
        println!(
            "{name:<28} {:>9} {own:>9.3} {:>9} {:>8} {:>8} {:>9}",
            of_kernel(|it, _| format!("{}{:.3}", more(it), it.time.as_secs_f64())),
            of_kernel(|it, own| format!("{}{:.3}", less(it), own / it.time.as_secs_f64())),
            of_kernel(|it, _| megabytes(it.memory)),
            megabytes(ours.memory),
            megabytes(ours.grown),
        );
    }
}

fn more(of: &Measured) -> &'static str {
    if of.finished { "" } else { ">" }
}

fn less(of: &Measured) -> &'static str {
    if of.finished { "" } else { "<" }
}

fn megabytes(kibibytes: u64) -> String {
    format!("{:.1}", kibibytes as f64 / 1024.0)
}
