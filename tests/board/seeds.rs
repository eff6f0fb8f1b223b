//! The seeds of the fuzz targets, and what holds of them.

use std::{fs, path::Path};

#[path = "../../fuzz/src/lib.rs"]
mod targets;

#[test]
fn what_must_hold_of_all_input_holds_of_the_seeds() {
    for (name, check) in targets::TARGETS {
        let folder = Path::new("fuzz/seeds").join(name);
        let seeds: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            let bytes = fs::read(&seed).unwrap();
            assert!(bytes.len() <= 4096, "{} is too large for a seed", seed.display());
            check(&bytes);
            // What ends early, and what goes on.
            for end in 0..bytes.len().min(256) {
                check(&bytes[..end]);
            }
            check(&bytes.repeat(2));
        }
    }
}

#[test]
fn each_target_is_a_program() {
    let manifest = fs::read_to_string("fuzz/Cargo.toml").unwrap();
    for (name, _) in targets::TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
        let program = fs::read_to_string(format!("fuzz/fuzz_targets/{name}.rs")).unwrap();
        assert!(program.contains(&format!("fuseboard_fuzz::{name}::check")), "{name}");
    }
    let programs = fs::read_dir("fuzz/fuzz_targets").unwrap().count();
    assert_eq!(programs, targets::TARGETS.len());
}
