//! Sources around an exported policy.

use std::fmt::Write as _;

use metadrift_agents::runtime::sources as shared;

use super::{Export, POLICY};

/// A file: its name in the export, and its content.
pub(super) type File = (String, Vec<u8>);

/// A crate with the policy inside, and a test of it.
pub(super) fn rust(export: &Export) -> Vec<File> {
    let version = env!("CARGO_PKG_VERSION");
    let manifest = format!(
        "[package]\nname = \"policy\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n\n[dependencies]\n\
         # until it is on crates.io, name its folder in metadrift's sources:\n\
         # metadrift-runtime = {{ path = \"/path/to/metadrift/runtime\" }}\n\
         metadrift-runtime = \"{version}\"\n\n[workspace]\n"
    );
    let of = |key: &str| export.spec[key].as_str().unwrap_or_default().to_owned();
    let library = format!(
        "//! The policy that `{}` learned on `{}`; `metadrift export` has written this file.\n\n\
         pub use metadrift_runtime::{{Adapted, Adapter, End, Fault, Policy, uniforms}};\n\n\
         /// The policy at the beginning of its life.\n\
         pub fn policy() -> Policy {{\n    \
         Policy::from_bytes(include_bytes!(\"{POLICY}\")).expect(\"the file is as it was exported\")\n}}\n",
        of("learner"),
        of("preset"),
    );
    let adapted = match export.vectors.adapted {
        Some(_) => "Some(include_str!(\"../../vectors/adapted.csv\"))",
        None => "None",
    };
    let test = format!(
        "//! The policy computes what it did in training, to the bit.\n\n\
         #[test]\nfn the_policy_answers_as_in_training() {{\n    \
         let likely = include_str!(\"../../vectors/likely.csv\");\n    \
         let drawn = include_str!(\"../../vectors/drawn.csv\");\n    \
         let adapted = {adapted};\n    \
         let ticks = metadrift_runtime::vectors::check(&mut policy::policy(), likely, drawn, adapted).unwrap();\n    \
         assert!(ticks > 0);\n}}\n"
    );
    vec![
        ("rust/Cargo.toml".into(), manifest.into_bytes()),
        ("rust/src/lib.rs".into(), library.into_bytes()),
        (format!("rust/src/{POLICY}"), export.policy.clone()),
        ("rust/tests/vectors.rs".into(), test.into_bytes()),
    ]
}

/// The header, the policy as an array, and a program that checks them.
pub(super) fn c(export: &Export) -> Vec<File> {
    let mut array = String::from(
        "/* The policy, as metadrift_open takes it; `metadrift export` has written this file. */\n\
         #include \"policy.h\"\n\nconst unsigned char policy_bytes[] = {\n",
    );
    for line in export.policy.chunks(16) {
        let _ = writeln!(array, "    {},", line.iter().map(u8::to_string).collect::<Vec<_>>().join(", "));
    }
    let _ = writeln!(array, "}};\n\nconst size_t policy_length = {};", export.policy.len());
    let header = "#ifndef POLICY_H\n#define POLICY_H\n\n#include <stddef.h>\n\n\
                  /* The policy's file in memory, for metadrift_open. */\n\
                  extern const unsigned char policy_bytes[];\nextern const size_t policy_length;\n\n#endif\n";
    vec![
        ("c/metadrift.h".into(), shared::C_HEADER.into()),
        ("c/policy.h".into(), header.into()),
        ("c/policy.c".into(), array.into_bytes()),
        ("c/check.c".into(), shared::C_CHECK.into()),
    ]
}
