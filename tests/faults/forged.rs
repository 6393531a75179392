//! Checkpoints made by hand, with right checksums: the form of the manifest, written down independently of the program.

use std::{fs, path::Path};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The files of a checkpoint.
pub const FILES: [&str; 3] = ["params.safetensors", "state.json", "MANIFEST.json"];

/// The manifest as a forger would write it.
#[derive(Serialize, Deserialize)]
pub struct Forged {
    pub schema: u32,
    pub step: u64,
    pub files: Vec<ForgedFile>,
    pub tensors: Vec<ForgedTensor>,
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
pub struct ForgedFile {
    pub name: String,
    pub size: u64,
    pub sha256: String,
}

#[derive(Serialize, Deserialize)]
pub struct ForgedTensor {
    pub name: String,
    pub len: usize,
}

/// Makes all checksums of a checkpoint right again after its files, and with `change` its manifest, were changed.
pub fn reseal(path: &Path, change: impl FnOnce(&mut Forged)) {
    let mut manifest: Forged = serde_json::from_slice(&fs::read(path.join(FILES[2])).unwrap()).unwrap();
    for file in &mut manifest.files {
        let bytes = fs::read(path.join(&file.name)).unwrap();
        (file.size, file.sha256) = (bytes.len() as u64, hex(&bytes));
    }
    change(&mut manifest);
    manifest.sha256.clear();
    let text = serde_json::to_string_pretty(&manifest).unwrap() + "\n";
    manifest.sha256 = hex(text.as_bytes());
    fs::write(path.join(FILES[2]), serde_json::to_string_pretty(&manifest).unwrap() + "\n").unwrap();
}

fn hex(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
