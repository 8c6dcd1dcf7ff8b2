//! Prometheus' text format, version 0.0.4.

use std::fmt::Display;
use std::io;

/// What can be asked for under this name.
pub(crate) const MEDIA: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How values behave.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Counter,
    Gauge,
}

/// Where it is written.
pub(super) struct Text<'a>(pub(super) &'a mut dyn io::Write);

impl Text<'_> {
    /// A metric without labels.
    pub(super) fn one(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        value: impl Display,
    ) -> io::Result<()> {
        let no_labels: [(&str, String); 0] = [];
        self.family(name, kind, help, [(no_labels, value)])
    }

    /// All that a metric has.
    pub(super) fn family<const N: usize, V: Display>(
        &mut self,
        name: &str,
        kind: Kind,
        help: &str,
        samples: impl IntoIterator<Item = ([(&'static str, String); N], V)>,
    ) -> io::Result<()> {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        writeln!(self.0, "# HELP {name} {}", escaped(help))?;
        writeln!(self.0, "# TYPE {name} {kind}")?;
        for (labels, value) in samples {
            write!(self.0, "{name}")?;
            for (index, (label, of)) in labels.iter().enumerate() {
                let before = if index == 0 { '{' } else { ',' };
                let of = escaped(of).replace('"', "\\\"");
                write!(self.0, "{before}{label}=\"{of}\"")?;
            }
            let after = if N == 0 { "" } else { "}" };
            writeln!(self.0, "{after} {value}")?;
        }
        Ok(())
    }
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut out = Vec::new();
        let mut text = Text(&mut out);
        let labels = [("a", "\"\\\n".to_owned()), ("b", "x".to_owned())];
        text.family("m_total", Kind::Counter, "one\ntwo", [(labels, 5)])
            .unwrap();
        text.one("g", Kind::Gauge, "three", 0.5).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "# HELP m_total one\\ntwo\n# TYPE m_total counter\nm_total{a=\"\\\"\\\\\\n\",b=\"x\"} 5\n\
             # HELP g three\n# TYPE g gauge\ng 0.5\n"
        );
    }
}
