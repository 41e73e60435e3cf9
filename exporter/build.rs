//! Compiles the BPF programs, links them into one object and generates its skeleton.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use libbpf_cargo::SkeletonBuilder;
use libbpf_rs::Linker;

const BPF: &str = "../bpf";
const PROGRAMS: [&str; 3] = ["tc", "sockops", "owner"];

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed={BPF}");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("cargo sets OUT_DIR")?);
    let linked = out.join("headertap.bpf.o");
    let mut linker = Linker::new(&linked)?;
    for program in PROGRAMS {
        linker.add_file(compile(program, &out)?)?;
    }
    linker.link().context("the BPF objects do not link")?;
    SkeletonBuilder::new().obj(&linked).generate(out.join("headertap.skel.rs"))?;
    Ok(())
}

fn compile(program: &str, out: &Path) -> Result<PathBuf> {
    let source = Path::new(BPF).join(format!("{program}.bpf.c"));
    let object = out.join(format!("{program}.bpf.o"));
    SkeletonBuilder::new()
        .source(&source)
        .obj(&object)
        .clang_args(clang_args())
        .build()
        .with_context(|| format!("{} does not compile", source.display()))?;
    Ok(object)
}

/// `-mcpu=v3`: what Debian's 6.1 kernel takes. The kernel's user headers include `asm/`, which
/// Debian keeps in a folder of the machine's architecture.
fn clang_args() -> Vec<OsString> {
    let arch = env::var("CARGO_CFG_TARGET_ARCH").unwrap_or_default();
    let include = format!("/usr/include/{arch}-linux-gnu");
    ["-mcpu=v3", "-O2", "-Wall", "-Wextra", "-Werror", "-idirafter", &include]
        .map(OsString::from)
        .into()
}
