//! What the kernel's verifier says to each program.

use anyhow::Result;
use headertap::capture::OBJECT;
use libbpf_rs::ObjectBuilder;

const PROGRAMS: [&str; 11] = [
    "connect4",
    "connect6",
    "existing_sockets",
    "post_bind4",
    "post_bind6",
    "sock_create",
    "socket_events",
    "tc_egress",
    "tc_egress_l3",
    "tc_ingress",
    "tc_ingress_l3",
];

#[test]
fn the_object_has_the_programs_that_are_tested_here() -> Result<()> {
    let open = ObjectBuilder::default().open_memory(OBJECT)?;
    let mut names: Vec<_> =
        open.progs().map(|program| program.name().to_string_lossy().into_owned()).collect();
    names.sort();
    assert_eq!(names, PROGRAMS);
    Ok(())
}

/// One at a time, so that a refusal names its program.
#[test]
fn the_verifier_accepts_every_program() -> Result<()> {
    for name in PROGRAMS {
        let mut open = ObjectBuilder::default().open_memory(OBJECT)?;
        for mut program in open.progs_mut() {
            let is_it = program.name() == name;
            program.set_autoload(is_it);
        }
        let loaded = open.load();
        assert!(loaded.is_ok(), "{name}: {:?} (as root?)", loaded.err());
        println!("{name}: accepted");
    }
    Ok(())
}
