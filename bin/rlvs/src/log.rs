//! The daemon's log: on the standard error, for people, for programs, or for journald.
//!
//! What goes to journald has its priority in front of each line (sd-daemon(3)) and, as text, no time:
//! journald notes that itself.

use std::fmt;
use std::io::{IsTerminal as _, stderr};
use std::os::unix::fs::MetadataExt;

use clap::Args;
use rlvs_config::settings::{Log, LogFormat, LogLevel};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// What comes before the file's `[log]`.
#[derive(Clone, Debug, Args)]
pub(crate) struct Arguments {
    /// What to log: a level (error, warn, info, debug, trace), or filters such as rlvs_probe=debug,info
    #[arg(long, value_name = "FILTER", env = "RLVS_LOG")]
    log: Option<String>,
    /// How to log
    #[arg(long, value_name = "FORMAT", value_enum, env = "RLVS_LOG_FORMAT")]
    log_format: Option<Format>,
}

/// [`LogFormat`] as an argument.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Logs from now on.
pub(crate) fn begin(arguments: &Arguments, configured: &Log) {
    let level = level(configured.level);
    let wanted = arguments.log.as_deref().filter(|wanted| !wanted.is_empty());
    let filter = EnvFilter::builder()
        .with_default_directive(level.into())
        .parse_lossy(wanted.unwrap_or_default());
    let is_json = match arguments.log_format {
        Some(format) => matches!(format, Format::Json),
        None => configured.format == LogFormat::Json,
    };
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal())
        .with_target(false);
    match (is_json, goes_to_journald()) {
        (false, false) => log.init(),
        (false, true) => log.without_time().map_event_format(WithPriority).init(),
        (true, false) => log.json().flatten_event(true).init(),
        (true, true) => {
            let log = log.json().flatten_event(true);
            log.map_event_format(WithPriority).init();
        }
    }
}

fn level(configured: LogLevel) -> Level {
    match configured {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

/// Whether journald reads our standard error: it names what it is connected to (systemd.exec(5)).
fn goes_to_journald() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let Ok(own) = std::fs::metadata("/proc/self/fd/2") else {
        return false;
    };
    stream == format!("{}:{}", own.dev(), own.ino())
}

/// Lines with their priority in front.
struct WithPriority<F>(F);

impl<S, N, F> FormatEvent<S, N> for WithPriority<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0
            .format_event(context, Writer::new(&mut text), event)?;
        let priority = priority(*event.metadata().level());
        for line in text.lines() {
            writeln!(writer, "<{priority}>{}", line.trim_start())?;
        }
        Ok(())
    }
}

/// Of syslog.
fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn every_line_has_its_priority() {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .map_event_format(WithPriority)
            .finish();
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(file = "x", "first\nsecond");
            tracing::info!("third");
            tracing::error!("fourth");
        });
        let text = String::from_utf8(written.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<_> = text.lines().collect();
        let expected = [
            "<4>WARN first",
            "<4>second file=\"x\"",
            "<6>INFO third",
            "<3>ERROR fourth",
        ];
        assert_eq!(lines, expected);
    }
}
