//! Why something could not be read or set, in words that say how to mend it.

use std::io;
use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{action}: permission denied; run it as root")]
    NotRoot { action: String },
    #[error("{action}: {source}")]
    Io { action: String, source: io::Error },
    #[error("{} is damaged ({source}); look at it, then remove it", path.display())]
    Damaged {
        path: PathBuf,
        source: serde_json::Error,
    },
}

impl Error {
    /// What went wrong in doing `action`.
    pub fn io(action: impl Into<String>, source: io::Error) -> Self {
        let action = action.into();
        if source.kind() == io::ErrorKind::PermissionDenied {
            Self::NotRoot { action }
        } else {
            Self::Io { action, source }
        }
    }
}
