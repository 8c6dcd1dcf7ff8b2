//! What systemd is told, if it has started the daemon (sd_notify(3)).

use std::sync::LazyLock;
use std::time::Duration;

use sd_notify::NotifyState;

/// Whether signs of life are wanted; one a second suits any watchdog.
static WATCHED: LazyLock<bool> = LazyLock::new(|| sd_notify::watchdog_enabled().is_some());

/// For what has to be done at the end beside waiting.
const MARGIN: Duration = Duration::from_secs(30);

/// The director serves.
pub(crate) fn ready() {
    tell(&NotifyState::Ready);
}

/// It still works.
pub(crate) fn alive() {
    if *WATCHED {
        tell(&NotifyState::Watchdog);
    }
}

/// It is about to end.
pub(crate) fn stopping() {
    tell(&NotifyState::Stopping);
}

/// It is about to end, and may take so long.
pub(crate) fn stopping_within(longest: Duration) {
    let micros = (longest + MARGIN).as_micros();
    stopping();
    tell(&NotifyState::ExtendTimeoutUsec(
        u32::try_from(micros).unwrap_or(u32::MAX),
    ));
}

/// A daemon that is not heard is restarted, and says here why.
fn tell(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        tracing::warn!(%error, ?state, "the service manager cannot be told");
    }
}
