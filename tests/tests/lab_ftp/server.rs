//! An FTP server on a real server.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use rlvs_lab::{Get, Process, RealServer};

const READY: Duration = Duration::from_secs(60);

/// The directory that files are uploaded to, within [`root`].
pub(crate) const INCOMING: &str = "incoming";

/// What clients see as `/`; the file `name` there says whose it is.
pub(crate) fn root(server: &RealServer) -> Result<PathBuf> {
    Ok(server.host.directory()?.join("ftp"))
}

/// vsftpd, which knows nothing of virtual addresses.
pub(crate) fn start(server: &RealServer) -> Result<Process> {
    let (root, file) = (root(server)?, server.host.directory()?.join("vsftpd.conf"));
    fs::create_dir_all(root.join(INCOMING))?;
    fs::write(root.join("name"), server.name())?;
    fs::set_permissions(root.join(INCOMING), fs::Permissions::from_mode(0o777))?;
    // vsftpd insists on it.
    fs::set_permissions(&root, fs::Permissions::from_mode(0o555))?;
    fs::write(&file, configuration(&root))?;
    let mut vsftpd = server.host.spawn("vsftpd", "vsftpd", [&file])?;
    let url = format!("ftp://{}/name", server.host.address().v4);
    vsftpd.wait_until(READY, |_| Ok(Get::new(&url).once(&server.host).is_ok()))?;
    Ok(vsftpd)
}

fn configuration(root: &Path) -> String {
    format!(
        "listen=NO
listen_ipv6=YES
background=NO
anonymous_enable=YES
no_anon_password=YES
anon_root={}
write_enable=YES
anon_upload_enable=YES
anon_umask=022
run_as_launching_user=YES
pasv_enable=YES
pasv_min_port=30000
pasv_max_port=30099
port_enable=YES
connect_from_port_20=YES
seccomp_sandbox=NO
",
        root.display()
    )
}
