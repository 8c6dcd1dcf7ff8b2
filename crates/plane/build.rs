//! Builds the eBPF object (crates/ebpf) for `include_bytes!`.
//!
//! It needs a `core` for the bpf target, which no toolchain ships built, so a compiler whose
//! library source is there: the one `RLVS_BPF_RUSTC` names, a rustup toolchain with rust-src, or
//! Debian's rustc-web with rust-web-src. And bpf-linker: the one `RLVS_BPF_LINKER` names, in PATH,
//! or where `cargo xtask setup` puts it.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, exit};

const TARGET: &str = "bpfel-unknown-none";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const LINKER: &str = "bpf-linker";
const LINKER_CACHE: &str = "rlvs/bpf-linker-0.13.0/bin";
/// Where Debian's LLVM 22 has the shared library that bpf-linker was linked with.
const LLVM: &str = "/usr/lib/llvm-22/bin";

fn main() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for part in ["arrival", "ebpf", "engine", "wire", "word"] {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join("crates").join(part).display()
        );
    }
    println!(
        "cargo::rerun-if-changed={}",
        workspace.join("Cargo.lock").display()
    );
    for variable in ["RLVS_BPF_RUSTC", "RLVS_BPF_LINKER"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    // Not PATH, in which they may be: cargo changes it for what it runs.
    for tool in [rustc(), linker()] {
        println!("cargo::rerun-if-changed={}", tool.display());
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let target = target_directory(&out);
    let bench = env::var_os("CARGO_FEATURE_BENCH").map(|_| "rlvs-bench");
    for object in ["rlvs-ebpf", "rlvs-path", "rlvs-realserver", "rlvs-client"]
        .into_iter()
        .chain(bench)
    {
        build(&workspace, &target, object);
        let built = target.join(TARGET).join("release").join(object);
        fs::copy(built, out.join(object)).expect("the object was built");
    }
}

/// One folder for all profiles: `target/ebpf` beside `target/debug`.
fn target_directory(out: &Path) -> PathBuf {
    let target = out
        .ancestors()
        .find(|path| path.join("CACHEDIR.TAG").exists());
    target.unwrap_or(out).join("ebpf")
}

fn build(workspace: &Path, target: &Path, object: &str) {
    let rustc = rustc();
    let linker = linker();
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo
        .current_dir(workspace)
        .args(["build", "--release", "--quiet"])
        .args(["--package", "rlvs-ebpf", "--bin", object])
        .args(["--target", TARGET, "-Z", "build-std=core", "--target-dir"])
        .arg(target)
        .env("RUSTC", &rustc)
        .env("RUSTC_BOOTSTRAP", "1")
        .env("PATH", with_path([LLVM.as_ref()]))
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(&linker))
        .env("CARGO_PROFILE_RELEASE_LTO", "true")
        .env("CARGO_PROFILE_RELEASE_DEBUG", "2")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "1")
        .env("CARGO_PROFILE_RELEASE_PANIC", "abort")
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTC_WRAPPER")
        .env_remove("RUSTC_WORKSPACE_WRAPPER");
    if env::var_os("CARGO_FEATURE_OTHER_LAYOUT").is_some() {
        cargo.args(["--features", "other-layout"]);
    }
    if !cargo.status().is_ok_and(|status| status.success()) {
        fail(&format!(
            "the eBPF object could not be built with {}",
            rustc.display()
        ));
    }
}

/// The verifier wants types (BTF); packets are read unaligned, as the kernels we run on allow.
fn rustflags(linker: &Path) -> OsString {
    let mut flags = OsString::from("-Clinker=");
    flags.push(linker);
    for flag in [
        "-Clink-arg=--btf",
        "-Ctarget-cpu=v3",
        "-Clink-arg=--cpu-features=+allows-misaligned-mem-access",
    ] {
        flags.push("\x1f");
        flags.push(flag);
    }
    flags
}

fn rustc() -> PathBuf {
    let named = env::var_os("RLVS_BPF_RUSTC").map(PathBuf::from);
    let debian = || has_source(Path::new("/usr")).then(|| PathBuf::from(DEBIAN_RUSTC));
    named
        .or_else(rustup_rustc)
        .or_else(debian)
        .unwrap_or_else(|| {
            fail(
                "no Rust with library source for the eBPF target: `cargo xtask setup` installs \
             Debian's (rustc-web, rust-web-src); or `rustup component add rust-src`; or name a \
             compiler in RLVS_BPF_RUSTC",
            )
        })
}

/// The compiler of the first rustup toolchain that has the library's source.
fn rustup_rustc() -> Option<PathBuf> {
    let home = env::var_os("RUSTUP_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".rustup")))?;
    let entries = fs::read_dir(home.join("toolchains")).ok()?;
    let mut toolchains: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    toolchains.sort();
    let toolchain = toolchains.into_iter().find(|path| has_source(path))?;
    Some(toolchain.join("bin/rustc"))
}

fn has_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core").exists()
}

fn linker() -> PathBuf {
    if let Some(named) = env::var_os("RLVS_BPF_LINKER") {
        return named.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cache")));
    let cache = cache.map(|cache| cache.join(LINKER_CACHE));
    let path = env::var_os("PATH").unwrap_or_default();
    let found = cache
        .into_iter()
        .chain(env::split_paths(&path))
        .map(|folder| folder.join(LINKER))
        .find(|file| file.is_file());
    found.unwrap_or_else(|| {
        fail(
            "bpf-linker is missing: `cargo xtask setup` installs it; or name one in \
             RLVS_BPF_LINKER",
        )
    })
}

fn with_path<const N: usize>(first: [&OsStr; N]) -> OsString {
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = first
        .into_iter()
        .map(PathBuf::from)
        .chain(env::split_paths(&path));
    env::join_paths(folders).unwrap_or(path.clone())
}

fn fail(message: &str) -> ! {
    println!("cargo::error={message}");
    // cargo fails for the message; for a status it would print all else that was said too.
    exit(0)
}
