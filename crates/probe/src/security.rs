//! Whether others than root can change what root would run: keepalived's `enable_script_security`.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Others may write here only what is theirs.
const STICKY: u32 = 0o1000;
const GROUP_WRITES: u32 = 0o020;
const OTHERS_WRITE: u32 = 0o002;

/// Looks at a program and each folder on its path, links followed.
pub(crate) fn check(program: &Path) -> Result<(), String> {
    let named = |error| format!("{}: {error}", program.display());
    let real = program.canonicalize().map_err(named)?;
    // Who can change the folder of a link can change what it points to.
    for path in real.ancestors().chain(program.ancestors().skip(1)) {
        let data = path.metadata().map_err(named)?;
        let (mode, group) = (data.mode(), data.gid());
        let sticky = data.is_dir() && mode & STICKY != 0;
        let group_writes = mode & GROUP_WRITES != 0 && group != 0;
        let others = mode & OTHERS_WRITE != 0;
        if data.uid() != 0 || ((group_writes || others) && !sticky) {
            return Err(format!(
                "{} is not run as root, for others than root can change {}: \
                 chown root and chmod go-w, or give the check a user",
                program.display(),
                path.display()
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, chown};

    use super::*;

    #[test]
    fn what_others_can_change_is_refused() {
        // Only root can make files of root.
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("program");
        fs::write(&program, "").unwrap();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&program, 0o755);
        assert_eq!(check(&program), Ok(()));
        set(&program, 0o775);
        assert_eq!(check(&program), Ok(()), "the group is root's");
        set(&program, 0o757);
        assert!(check(&program).is_err());
        set(&program, 0o755);
        set(folder.path(), 0o777);
        assert!(check(&program).unwrap_err().contains("chmod"));
        set(folder.path(), 0o755);
        chown(&program, Some(1), None).unwrap();
        assert!(check(&program).is_err());
    }
}
