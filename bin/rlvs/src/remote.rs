//! Which director a command asks: that of this network namespace, or one elsewhere.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use clap::Args;
use rlvs_control::{Client, Remote};

const DIRECTOR: &str = "RLVS_DIRECTOR";
const TOKEN: &str = "RLVS_TOKEN_FILE";
const AUTHORITY: &str = "RLVS_CA_FILE";
const OTHERS_READ: u32 = 0o004;

/// A director elsewhere, if one is named.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Another director")]
pub(crate) struct Whom {
    /// Ask the director at https://HOST:PORT, where [api] of its rlvs.toml listens
    #[arg(long, value_name = "URL", env = DIRECTOR)]
    director: Option<String>,
    /// A file with the token that it knows (`rlvs token`)
    #[arg(long, value_name = "FILE", env = TOKEN)]
    token_file: Option<PathBuf>,
    /// A file in PEM with the authority of its certificate, where this host knows it not
    #[arg(long, value_name = "FILE", env = AUTHORITY)]
    ca_file: Option<PathBuf>,
}

impl Whom {
    /// For commands whose words leave no room: the environment says it.
    pub(crate) fn of_environment() -> Self {
        let of = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            director: of(DIRECTOR).and_then(|value| value.into_string().ok()),
            token_file: of(TOKEN).map(Into::into),
            ca_file: of(AUTHORITY).map(Into::into),
        }
    }

    /// The way there.
    pub(crate) fn client(&self) -> Result<Client> {
        let Some(url) = self.director.as_deref().filter(|url| !url.is_empty()) else {
            return Ok(Client::connect()?);
        };
        let Some(file) = &self.token_file else {
            bail!("{url} wants a token: name a file with it by --token-file or {TOKEN}");
        };
        let remote = Remote::new(url, &token(file)?, self.ca_file.as_deref())?;
        Ok(Client::remote(remote)?)
    }
}

fn token(file: &Path) -> Result<String> {
    let named = || file.display().to_string();
    let mode = fs::metadata(file).with_context(named)?.mode();
    if mode & OTHERS_READ != 0 {
        bail!("{}: everybody can read this token: chmod 600", named());
    }
    fs::read_to_string(file).with_context(named)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_that_everybody_can_read_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        fs::write(&file, "rlvs_1\n").unwrap();
        let mut whom = Whom {
            director: Some("http://127.0.0.1:1".into()),
            ..Whom::default()
        };
        let said = |whom: &Whom| format!("{:#}", whom.client().unwrap_err());
        assert!(said(&whom).contains("--token-file"), "{}", said(&whom));
        whom.token_file = Some(file.clone());
        let mode = |mode| fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        assert!(said(&whom).contains("chmod 600"), "{}", said(&whom));
        mode(0o600);
        whom.client().unwrap();
    }
}
