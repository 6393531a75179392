//! `metadrift export` as a user runs it: what is exported computes what training did, for every kind of policy.

use std::{fs, path::Path};

use base64ct::{Base64, Encoding};
use metadrift_agents::runtime::{Policy, vectors};
use metadrift_envs::{IntegratorKind, RewardKind, SensorFill, TaskSettings};
use metadrift_page::{Setup, World, world};
use serde_json::Value;

use crate::command::Place;

fn spec(place: &Place, dir: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(place.path(dir).join("spec.json")).unwrap()).unwrap()
}

/// Checks an export by its vectors, with the runtime alone; gives the number of commands.
fn check(dir: &Path) -> usize {
    let read = |name: &str| fs::read_to_string(dir.join("vectors").join(name));
    let mut policy = Policy::from_bytes(&fs::read(dir.join("policy.bin")).unwrap()).unwrap();
    let adapted = read("adapted.csv").ok();
    assert_eq!(policy.adaptation().is_some(), adapted.is_some());
    let (likely, drawn) = (read("likely.csv").unwrap(), read("drawn.csv").unwrap());
    vectors::check(&mut policy, &likely, &drawn, adapted.as_deref()).unwrap()
}

#[test]
fn every_kind_of_policy_is_exported_to_the_bit() {
    let place = Place::new();
    let cases = [
        ("maml", "--learner maml"),
        ("normal", "--learner maml --set policy.normalize_obs=true --set policy.activation=\"relu\""),
        ("cavia", "--learner maml --set maml.adapts=\"context\""),
        ("lora", "--learner maml --set maml.adapts=\"low-rank\" --set maml.estimator=\"score\""),
        ("seeing", "--learner maml --set policy.window=3"),
        ("reptile", "--learner reptile"),
        ("ppo", "--learner ppo"),
        ("rl2", "--learner rl2"),
        ("window", "--learner distill-window"),
        ("context", "--learner context"),
    ];
    for (name, options) in cases {
        place.expect(0, &format!("train tiny.toml {options} --iterations 1 --no-evaluate --run-dir {name}"));
        place.expect(0, &format!("export {name} --to {name}-out"));
        let ticks = check(&place.path(&format!("{name}-out")));
        let readme = fs::read_to_string(place.path(&format!("{name}-out/README.md"))).unwrap();
        assert!(
            readme.contains(&format!("iteration 1 of the run `{name}`")) && readme.contains("- `x` (m)\n"),
            "{readme}"
        );
        assert!(ticks >= 30, "{name}: {ticks}");
    }
}

#[test]
fn a_vector_of_numbers_is_exported_with_its_limits() {
    let place = Place::new();
    let pendulum = "name = \"swing\"\niterations = 1\ntask.env = \"pendulum\"\ntask.horizon = 25\n\
        task.observe_actions = 1\nrollout = { num_tasks = 2, num_envs = 3 }\npolicy.hidden = [6]\n\
        task.vary.mass = { law = \"uniform\", low = 0.8, high = 1.2 }\n";
    fs::write(place.path("swing.toml"), pendulum).unwrap();
    for (name, options) in [("free", ""), ("state", "--set policy.log_std=\"state\""), ("rl2", "--learner rl2")] {
        place.expect(0, &format!("train swing.toml {options} --iterations 1 --no-evaluate --run-dir {name}"));
        place.expect(0, &format!("export {name} --to {name}-out --format c"));
        assert!(check(&place.path(&format!("{name}-out"))) >= 25, "{name}");
    }
    let spec = spec(&place, "free-out");
    let names: Vec<&str> =
        spec["observations"].as_array().unwrap().iter().map(|o| o["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["cos_theta", "sin_theta", "theta_dot", "command0_before1"]);
    assert_eq!(spec["observations"][3]["column"], "obs_action_0_before_1");
    assert_eq!((&spec["actions"]["smallest"], &spec["actions"]["largest"]), (&(-2.0).into(), &2.0.into()));
    // Pendulum-v1's time of a step
    assert_eq!((&spec["sample_period"]["value"], &spec["sample_period"]["unit"]), (&0.05.into(), &"s".into()));
    let mass = spec["training_ranges"].as_array().unwrap().iter().find(|row| row["channel"] == "mass").unwrap();
    assert!(mass["lowest"].as_f64().unwrap() >= 0.8 && mass["highest"].as_f64().unwrap() <= 1.2, "{mass}");
}

#[test]
fn a_rate_limit_is_a_part_of_the_policy() {
    let place = Place::new();
    let pendulum = "name = \"swing\"\niterations = 1\ntask.env = \"pendulum\"\ntask.horizon = 25\n\
        rollout = { num_tasks = 2, num_envs = 3 }\npolicy.hidden = [6]\n\
        task.vary.mass = { law = \"uniform\", low = 0.8, high = 1.2 }\n";
    fs::write(place.path("swing.toml"), pendulum).unwrap();
    for (name, options) in [("maml", ""), ("state", "--learner ppo --set policy.log_std=\"state\"")] {
        place.expect(0, &format!("train swing.toml {options} --iterations 1 --no-evaluate --run-dir {name}"));
        place.expect(0, &format!("export {name} --to {name}-out --rate-limit 0.25"));
        assert!(check(&place.path(&format!("{name}-out"))) >= 25, "{name}");
        assert_eq!(spec(&place, &format!("{name}-out"))["actions"]["largest_change"], 0.25);
        let vectors = fs::read_to_string(place.path(&format!("{name}-out")).join("vectors/drawn.csv")).unwrap();
        let column = vectors.lines().next().unwrap().split(',').position(|column| column == "command0").unwrap();
        let rows = vectors.lines().skip(1).map(|line| line.split(',').collect::<Vec<&str>>());
        let (mut last, mut most) = (("", 0.0), 0.0_f32);
        for row in rows.collect::<Vec<_>>().iter() {
            let (life, command): (&str, f32) = (row[0], row[column].parse().unwrap());
            let before = if last.0 == life { last.1 } else { 0.0 };
            most = most.max((command - before).abs());
            last = (life, command);
        }
        // commands of a torque up to 2 that are drawn jump by more
        assert!((most - 0.25).abs() < 1e-6, "{most}");
    }
    place.expect(0, "train swing.toml --learner rl2 --iterations 1 --no-evaluate --run-dir seeing");
    assert!(place.expect(2, "export seeing --to out --rate-limit 0.25").contains("sees its last commands"));
    place.expect(0, "train tiny.toml --iterations 1 --no-evaluate --run-dir choices");
    assert!(place.expect(2, "export choices --to out --rate-limit 0.25").contains("choices"));
    assert!(place.expect(2, "export maml --to out --rate-limit 0").contains("positive"));
    assert!(!place.path("out").exists());
}

#[test]
fn the_folder_holds_what_the_format_asks_for() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 2 --no-evaluate --run-dir run");
    let told = place.expect(0, "export run --to all");
    assert!(told.contains("4 episodes") && told.contains("rust/") && told.contains("check.c"), "{told}");
    assert!(told.lines().all(|line| line.len() <= 80), "{told}");
    let spec = spec(&place, "all");
    assert_eq!((&spec["origin"]["iteration"], &spec["origin"]["finished"]), (&2.into(), &true.into()));
    assert_eq!((&spec["learner"], &spec["adaptation"]["episodes_per_step"]), (&"maml".into(), &4.into()));
    let policy = fs::read(place.path("all/policy.bin")).unwrap();
    assert_eq!(fs::read(place.path("all/rust/src/policy.bin")).unwrap(), policy);
    // the array in C is the same file
    let array = fs::read_to_string(place.path("all/c/policy.c")).unwrap();
    let inside = &array[array.find('{').unwrap() + 1..array.find('}').unwrap()];
    let bytes =
        inside.split(',').map(str::trim).filter(|byte| !byte.is_empty()).map(|byte| byte.parse::<u8>().unwrap());
    assert_eq!(bytes.collect::<Vec<u8>>(), policy);
    place.expect(0, "export run --to crate --format rust");
    place.expect(0, "export run --to library --format c");
    place.expect(0, "export run --to graphs --format onnx");
    place.expect(0, "export run --to module --format wasm");
    assert!(place.path("module/wasm/check.mjs").exists() && !place.path("module/page.html").exists());
    assert!(place.path("all/page.html").exists() && place.path("all/wasm/metadrift.mjs").exists());
    assert!(!place.path("crate/c").exists() && !place.path("library/rust").exists());
    assert!(!place.path("graphs/c").exists() && !place.path("crate/onnx").exists());
    for file in ["policy.onnx", "adapt.onnx", "adapt.cases.json"] {
        assert!(place.path("graphs/onnx").join(file).exists(), "{file}");
        assert!(place.path("all/onnx").join(file).exists(), "{file}");
    }
    // the same run gives the same bytes
    assert_eq!(fs::read(place.path("crate/policy.bin")).unwrap(), policy);
}

/// The data of an exported page.
fn page(place: &Place, dir: &str) -> Value {
    let page = fs::read_to_string(place.path(dir).join("page.html")).unwrap();
    let (_, data) = page.split_once("id=\"data\">").unwrap();
    serde_json::from_str(data.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn a_page_holds_policy_description_and_module_and_its_world_plays() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 1 --no-evaluate --run-dir a<b");
    let told = place.expect(0, "export a<b --to out --format page");
    assert!(told.contains("page.html") && told.lines().all(|line| line.len() <= 80), "{told}");
    let text = fs::read_to_string(place.path("out/page.html")).unwrap();
    assert!(text.contains("from a&lt;b (iteration 1)") && !text.contains("{{"));
    // one file: nothing is fetched
    assert!(!text.contains("src=\"http") && !text.contains("url(") && text.contains("default-src 'none'"));
    let data = page(&place, "out");
    let bytes = |key: &str| Base64::decode_vec(data[key].as_str().unwrap()).unwrap();
    assert_eq!(bytes("policy"), fs::read(place.path("out/policy.bin")).unwrap());
    let module = bytes("wasm");
    assert!(module.starts_with(b"\0asm\x01\0\0\0"));
    // the module that is part of the program has the interface of its sources, and reads the policies of this version
    let versions = [b"\tmetadrift", &metadrift_page::VERSIONS[..]].concat();
    assert!(module.windows(versions.len()).any(|part| part == versions), "run scripts/page.sh build");
    assert!(text.contains(&format!("const ABI = {};", metadrift_page::ABI)));
    assert_eq!(data["spec"], spec(&place, "out"));
    let sliders = data["sliders"].as_array().unwrap();
    let gain = &sliders[0];
    assert_eq!((&gain["name"], &gain["value"], &gain["varies"]), (&"actuator_gain".into(), &1.0.into(), &true.into()));
    let trained: Vec<[f64; 2]> = serde_json::from_value(gain["trained"].clone()).unwrap();
    assert!(trained.len() == 1 && trained[0][0] >= 0.7 && trained[0][1] <= 1.3 && trained[0][1] > 1.2, "{trained:?}");
    // the flipped gain has a place on the slider
    assert!(gain["low"].as_f64().unwrap() <= -1.3, "{gain}");
    let mut world = World::open(data["setup"].as_str().unwrap(), &bytes("policy")).unwrap();
    let sizes = ["state", "obs", "act", "act", "channels"].map(|key| data["sizes"][key].as_u64().unwrap() as usize);
    assert_eq!(world.view().numbers().len(), 6 + sizes.iter().sum::<usize>());
    assert_eq!(world.episodes_per_step(), 4);
    let ended = |world: &World| world.view().numbers()[4];
    while ended(&world) < 4.0 {
        world.step(true).unwrap();
    }
    assert_eq!(world.adapt().unwrap().episodes, 4);
    world.set(0, -1.0).unwrap();
    world.step(false).unwrap();
}

#[test]
fn settings_of_the_task_reach_the_world_of_a_page() {
    let place = Place::new();
    let toml = "name = \"all\"\niterations = 1\nrollout = { num_tasks = 2, num_envs = 3 }\npolicy.hidden = [6]\n[task]\n\
        env = \"cartpole\"\nhorizon = 20\nobserve_actions = 2\nreward = \"quadratic\"\nintegrator = \"rk4\"\n\
        sensor_fill = \"last\"\nvary.tau = { law = \"fixed\", value = 0.01 }\n\
        drift.actuator_gain = { kind = \"linear\", from = 1.0, to = -1.0, over = 20 }\n";
    fs::write(place.path("all.toml"), toml).unwrap();
    place.expect(0, "train all.toml --no-evaluate --run-dir run");
    place.expect(0, "export run --to out --format page");
    let data = page(&place, "out");
    let setup = Setup::parse(data["setup"].as_str().unwrap()).unwrap();
    let settings = TaskSettings {
        observe_actions: 2,
        integrator: Some(IntegratorKind::Rk4),
        reward: Some(RewardKind::Quadratic),
        sensor_fill: SensorFill::Last,
        ..TaskSettings::default()
    };
    assert_eq!((setup.horizon, setup.settings), (20, settings));
    assert!(setup.values.contains(&("tau".into(), 0.01)), "{:?}", setup.values);
    // what drifted in training is in the hands of the reader
    let gain = &data["sliders"][0];
    assert_eq!((&gain["name"], &gain["varies"]), (&"actuator_gain".into(), &true.into()));
    place.expect(0, "train all.toml --set task.notify.level=\"flag\" --no-evaluate --run-dir notified");
    let told = place.expect(3, "export notified --to no --format page");
    assert!(told.contains("announces none") && !place.path("no").exists(), "{told}");
    let told = place.expect(0, "export notified --to all");
    assert!(told.contains("there is no page.html") && !place.path("all/page.html").exists(), "{told}");
    assert!(place.path("all/wasm/metadrift.wasm").exists() && place.path("all/rust").exists());
}

#[test]
fn pages_and_their_module_have_the_same_environments() {
    let place = Place::new();
    let probe = "name = \"probe\"\niterations = 1\ntask = { env = \"probe-sign\", horizon = 5 }\n\
        rollout = { num_tasks = 2, num_envs = 3 }\npolicy.hidden = [6]\n";
    fs::write(place.path("probe.toml"), probe).unwrap();
    place.expect(0, "train probe.toml --no-evaluate --run-dir run");
    let told = place.expect(3, "export run --to out --format page");
    let listed = world::names().collect::<Vec<_>>().join(", ");
    assert!(told.replace("\n", " ").contains(&listed), "{told}");
}

#[test]
fn what_the_runtime_does_not_have_is_refused_and_nothing_is_written() {
    let place = Place::new();
    for (name, options, why) in [
        ("rule", "--set maml.update_rule=\"learned\"", "learned rule"),
        ("values", "--set maml.baseline=\"network\"", "value network"),
        ("model", "--learner adaptive-control", "a model of the environment"),
    ] {
        place.expect(0, &format!("train tiny.toml {options} --iterations 1 --no-evaluate --run-dir {name}"));
        let told = place.expect(3, &format!("export {name} --to out"));
        assert!(told.contains("cannot be exported") && told.contains(why), "{told}");
        assert!(!place.path("out").exists());
    }
}

#[test]
fn a_run_that_is_not_whole_says_so() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 4 --no-evaluate --run-dir run");
    let told = place.expect(0, "export run --checkpoint 2 --to early");
    assert!(told.contains("the policy of iteration 2 of 4"), "{told}");
    assert_eq!(spec(&place, "early")["origin"]["finished"], false);
    let params = |step: u64| place.path("run").join(format!("checkpoints/step-{step:08}/params.safetensors"));
    fs::write(params(4), "damaged").unwrap();
    let told = place.expect(0, "export run --to damaged");
    assert!(told.contains("skipped a damaged checkpoint") && told.contains("iteration 2 of 4"), "{told}");
    fs::write(params(2), "damaged").unwrap();
    place.expect(4, "export run --to none");
    assert!(!place.path("none").exists());
}

#[test]
fn the_folder_must_be_new_or_empty() {
    let place = Place::new();
    place.expect(0, "train tiny.toml --iterations 1 --no-evaluate --run-dir run");
    fs::create_dir(place.path("empty")).unwrap();
    place.expect(0, "export run --to empty --format c");
    assert!(place.expect(2, "export run --to empty").contains("new or empty"));
    assert!(place.expect(2, "export run --to run").contains("folder"));
    place.expect(4, "export run --to no/such/place");
    place.expect(4, "export nowhere --to out");
}
