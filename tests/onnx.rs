//! The exported graphs as files. `scripts/onnx_check.py` runs them in onnxruntime against their cases; with
//! `METADRIFT_ONNX=DIR` this test leaves them there for it.

use std::{fs, path::PathBuf};

use metadrift::{checkpoint::Which, onnx, trained::Trained};
use metadrift_agents::device::Device;

use crate::command::Place;

/// The strings in a protocol buffer that are as long as names are.
fn holds(bytes: &[u8], name: &str) -> bool {
    let marked = [&[name.len() as u8], name.as_bytes()].concat();
    bytes.windows(marked.len()).any(|window| window == marked)
}

#[test]
fn every_kind_of_policy_has_a_graph_and_cases() {
    let place = Place::new();
    for (name, train, adapts) in [
        ("flip", "cartpole-flip", true),
        ("pendulum", "pendulum-flip", true),
        ("state", "pendulum-flip --set policy.log_std=state --set policy.normalize_obs=true", true),
        ("relu", "cartpole-flip --set policy.activation=relu --set policy.hidden=[16]", true),
        ("context", "cartpole-flip --set maml.adapts=context", true),
        ("rank", "pendulum-flip --set maml.adapts=low-rank --set maml.adapts_size=3", true),
        ("history", "cartpole-delay-history", true),
        ("navigation", "navigation", true),
        ("learned", "cartpole-flip --set maml.update_rule=learned", false),
        ("latent", "cartpole-flip --learner context", false),
        ("memory", "cartpole-flip --learner rl2", false),
        ("torque", "pendulum-flip --learner rl2", false),
    ] {
        place.expect(
            0,
            &format!("train {train} --set task.horizon=100 --iterations 2 --run-dir {name} --no-evaluate -q"),
        );
        let run = Trained::open(&place.path(name), Which::Last, Device::Cpu, None, 1).unwrap();
        let kept = std::env::var_os("METADRIFT_ONNX").map(|dir| PathBuf::from(dir).join(name));
        let dir = kept.unwrap_or_else(|| place.path(&format!("{name}-onnx")));
        fs::create_dir_all(&dir).unwrap();
        let rate_limit = (name == "pendulum").then_some(0.25);
        let written = onnx::write(&run, &dir, rate_limit).unwrap();
        assert_eq!((written.files.len(), written.no_adaptation.is_none()), if adapts { (4, true) } else { (2, false) });
        let policy = fs::read(dir.join("policy.onnx")).unwrap();
        assert!(["obs", "params", "action", "MatMul"].iter().all(|word| holds(&policy, word)), "{name}");
        assert_eq!(holds(&policy, "state_out"), ["memory", "torque"].contains(&name));
        assert_eq!(holds(&policy, "command_before"), rate_limit.is_some());
        for file in written.files.iter().filter(|file| file.extension().is_some_and(|end| end == "json")) {
            let cases: Vec<serde_json::Value> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
            assert!(!cases.is_empty() && cases.iter().all(|case| case["outputs"].as_object().is_some()));
        }
    }
    let control = "train cartpole-flip --learner adaptive-control --iterations 1 --run-dir control --no-evaluate -q";
    place.expect(0, control);
    let run = Trained::open(&place.path("control"), Which::Last, Device::Cpu, None, 1).unwrap();
    assert_eq!(onnx::write(&run, &place.path("control"), None).unwrap_err().code(), 2);
}
