//! An XDP program that is not rlvs's: it lets everything pass.

use std::fs;
use std::io::{self, Error};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use std::ffi::CString;

/// `enum bpf_cmd`, `enum bpf_prog_type` (linux/bpf.h).
const BPF_PROG_LOAD: libc::c_long = 5;
const BPF_OBJ_PIN: libc::c_long = 6;
const BPF_PROG_TYPE_XDP: u32 = 6;

/// `r0 = XDP_PASS; exit`.
static PASS: [u64; 2] = [0x0000_0002_0000_00b7, 0x0000_0000_0000_0095];

/// A program that is pinned until this is dropped.
#[derive(Debug)]
pub struct ForeignProgram {
    pin: PathBuf,
}

/// The part of `union bpf_attr` that loads a program.
#[derive(Default)]
#[repr(C)]
struct Load {
    program_type: u32,
    instructions: u32,
    code: u64,
    license: u64,
    log: [u64; 2],
    version: u32,
    flags: u32,
}

/// The part of `union bpf_attr` that pins something.
#[repr(C)]
struct Pin {
    path: u64,
    file: u32,
    flags: u32,
}

impl ForeignProgram {
    /// Loads it and pins it under `name` in the system's BPF file system.
    pub fn load(name: &str) -> io::Result<Self> {
        let license = c"GPL";
        let load = Load {
            program_type: BPF_PROG_TYPE_XDP,
            instructions: PASS.len() as u32,
            code: PASS.as_ptr() as u64,
            license: license.as_ptr() as u64,
            ..Load::default()
        };
        let file = bpf(BPF_PROG_LOAD, &load)?;
        // SAFETY: the kernel has just made this descriptor, and nobody else knows it.
        let program = unsafe { OwnedFd::from_raw_fd(file) };
        let pin = Path::new("/sys/fs/bpf").join(format!("{name}-foreign"));
        let path = CString::new(pin.as_os_str().as_encoded_bytes())?;
        let request = Pin {
            path: path.as_ptr() as u64,
            file: program.as_raw_fd() as u32,
            flags: 0,
        };
        bpf(BPF_OBJ_PIN, &request)?;
        Ok(Self { pin })
    }

    /// Where it is pinned, for `ip link set ... xdp pinned`.
    pub fn pin(&self) -> &Path {
        &self.pin
    }
}

impl Drop for ForeignProgram {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.pin) {
            eprintln!("{}: {error}", self.pin.display());
        }
    }
}

fn bpf<T>(command: libc::c_long, attributes: &T) -> io::Result<i32> {
    // SAFETY: `attributes` is as large as is said and lives through the call, and so does all
    // that it points to.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            std::ptr::from_ref(attributes),
            size_of::<T>(),
        )
    };
    i32::try_from(result)
        .ok()
        .filter(|&result| result >= 0)
        .ok_or_else(Error::last_os_error)
}
