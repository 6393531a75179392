//! Tasks of labelled examples: sine waves, and learning on them.

use metadrift::{
    config::Experiment,
    evaluate::{HeldOut, Protocol, held_out},
    examples::{self, ExamplesEvaluation},
    presets,
    train::Trainer,
};
use metadrift_agents::{backend::BackendChoice, device::Device};
use metadrift_envs::Split;

use crate::{characters::draw_characters, command::Place};

/// A sin(x + b) is A sin x + B cos x: two points give A and B, which must foretell all others.
#[test]
fn sine_waves_have_the_amplitudes_and_phases_of_the_paper() {
    let config = presets::load("sinusoid", &[]).unwrap();
    let shots = config.examples.as_ref().unwrap().shots();
    let family = config.family().unwrap();
    let mut largest = 0.0f64;
    for (split, range) in [(Split::Train, 0.1..=5.0), (Split::InDist, 0.1..=5.0), (Split::Ood, 5.0..=8.0)] {
        for index in 0..200 {
            let task = examples::draw(&**family, shots, (0, split), (0, index));
            let points: Vec<(f64, f64)> =
                task.inputs.iter().zip(&task.labels).map(|(x, y)| (f64::from(*x), f64::from(*y))).collect();
            assert_eq!(points.len(), 20);
            assert!(points.iter().all(|(x, _)| (-5.0..=5.0).contains(x)));
            // the two of all pairs that tell most
            let pairs = (0..20).flat_map(|i| (0..i).map(move |j| (i, j)));
            let told = |(i, j): (usize, usize)| (points[i].0 - points[j].0).sin().abs();
            let (i, j) = pairs.max_by(|a, b| told(*a).total_cmp(&told(*b))).unwrap();
            let ((x, y), (u, v)) = (points[i], points[j]);
            let det = x.sin() * u.cos() - u.sin() * x.cos();
            let (a, b) = ((y * u.cos() - v * x.cos()) / det, (x.sin() * v - u.sin() * y) / det);
            for (x, y) in &points {
                assert!((a * x.sin() + b * x.cos() - y).abs() < 1e-4);
            }
            let amplitude = a.hypot(b);
            assert!(range.contains(&((amplitude * 1e4).round() / 1e4)), "{amplitude}");
            assert!((-1e-5..=std::f64::consts::PI + 1e-5).contains(&b.atan2(a)), "{a} {b}");
            largest = largest.max(amplitude);
        }
    }
    assert!(largest > 7.9);
    let first = |split| examples::draw(&**family, shots, (0, split), (0, 0));
    assert_ne!(first(Split::Train), first(Split::InDist));
}

/// The evaluation on `tasks` held-out tasks of `split` after `iterations` iterations.
fn trained(config: Experiment, iterations: u64, (split, tasks): (Split, usize)) -> ExamplesEvaluation {
    let mut trainer = Trainer::new(config, Device::Cpu, BackendChoice::Native, 2).unwrap();
    for _ in 0..iterations {
        trainer.iterate().unwrap();
    }
    let config = trainer.config();
    let protocol = Protocol { tasks, ..Protocol::of(config, split) };
    let HeldOut::Examples(found) = held_out(config, (&*trainer.agent(), iterations), 2, &protocol).unwrap() else {
        panic!("losses");
    };
    found
}

/// The mean square of a sine wave is 25.1 / 3 / 2 = 4.2 for these amplitudes: the loss of the answer 0.
#[test]
fn few_points_tell_a_sine_wave_to_who_has_learned_to_learn() {
    for (sets, limit) in [
        (&["learner=meta-sgd"][..], 1.2),
        (&["learner=promp", "maml.inner_lr=0.03"], 1.8),
        (&["learner=fomaml", "maml.inner_lr=0.03"], 2.0),
        (&["learner=reptile", "iterations=600"], 3.0),
    ] {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        let found = trained(presets::load("sinusoid", &sets).unwrap(), 600, (Split::InDist, 200));
        let losses: Vec<f64> = found.curve.iter().map(|point| point.loss.mean).collect();
        assert!(losses[0] > 2.0 && losses[1] < limit, "{sets:?}: {losses:?}");
        // step sizes that are learned for one step need not serve for ten
        let falls = sets.contains(&"learner=meta-sgd".to_owned()) || losses[10] < losses[1];
        assert!(falls, "{sets:?}: {losses:?}");
    }
}

#[test]
fn commands_that_need_an_environment_refuse_examples() {
    let place = Place::new();
    for arguments in ["tasks describe sinusoid", "tasks audit sinusoid", "record sinusoid --out x.gif"] {
        let told = place.expect(3, arguments);
        assert!(told.contains("but this needs an environment"), "{told}");
    }
}

#[test]
fn an_experiment_has_tasks_of_one_kind_and_no_setting_without_effect() {
    let refused = |sets: &[&str]| {
        let sets: Vec<String> = sets.iter().map(|set| (*set).to_owned()).collect();
        presets::load("sinusoid", &sets).unwrap_err().to_string()
    };
    for (sets, reason) in [
        (&["task.env=cartpole"][..], "[task] and [examples] exclude each other"),
        (&["learner=rl2"], "one that learns from examples"),
        (&["learner=prototypes"], "this one compares classes, but examples.family has none"),
        (&["examples.support=0"], "examples.support = 0: must be 1 to 10000"),
        (&["maml.estimator=dice"], "[examples] does not read it"),
        (&["rollout.num_envs=3"], "[examples] does not read it"),
        (&["evaluation.episodes=3"], "evaluation.episodes = 3: must be left out with [examples]"),
    ] {
        let told = refused(sets);
        assert!(told.contains(reason), "{sets:?}: {told}");
    }
    let episodes = presets::load("cartpole-flip", &["learner=prototypes".to_owned()]).unwrap_err().to_string();
    assert!(episodes.contains("this one is for [examples] with classes"), "{episodes}");
    let none = Experiment::parse("x", "name = \"x\"\n", &[]).unwrap_err().to_string();
    assert!(none.contains("write [task] with `env`, or [examples] with `family`"), "{none}");
}

#[test]
fn drawings_in_folders_and_archives_are_learned() {
    let folder = tempfile::tempdir().unwrap();
    draw_characters(folder.path());
    let data = format!("examples.data={}", toml::Value::from(folder.path().display().to_string()));
    let sets = [data, "examples.query=10".to_owned(), "policy.hidden=[32]".to_owned()];
    let accuracy = accuracies(presets::load("omniglot", &sets).unwrap(), 60);
    // characters of an alphabet that was never seen: 1 of 5 by chance
    assert!((accuracy[0] - 0.2).abs() < 0.1 && accuracy[3] > 0.8, "{accuracy:?}");
}

/// Prototypes answer at once, and without them all classes are as likely: 1 of 5 is right.
#[test]
fn prototypes_answer_at_once() {
    let folder = tempfile::tempdir().unwrap();
    draw_characters(folder.path());
    let data = format!("examples.data={}", toml::Value::from(folder.path().display().to_string()));
    let sets = [data, "learner=prototypes".to_owned(), "examples.query=10".to_owned()];
    let config = presets::load("omniglot", &sets).unwrap();
    let found = trained(config.clone(), 60, (Split::Ood, 100));
    let [before, after] = &found.curve[..] else { panic!("{:?}", found.curve) };
    let accuracy = |point: &examples::Point| point.accuracy.as_ref().unwrap().mean;
    assert!((before.loss.mean - 5f64.ln()).abs() < 1e-6 && (accuracy(before) - 0.2).abs() < 1e-9, "{before:?}");
    assert!(accuracy(after) > 0.8, "{after:?}");
    let refused = Trainer::new(config, Device::Cpu, BackendChoice::Tch, 1).err().unwrap().to_string();
    assert!(refused.contains("--backend tch"), "{refused}");
}

#[test]
fn a_run_knows_its_data_again_wherever_they_are() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    draw_characters(&place.path("data"));
    let small = "--set examples.query=10 --set evaluation.tasks=20 --set policy.hidden=[8]";
    place.expect(0, &format!("train omniglot --data data --iterations 2 --run-dir run {small}"));
    place.expect(0, "evaluate run --split ood");
    std::fs::rename(place.path("data"), place.path("moved")).unwrap();
    assert!(place.expect(4, "evaluate run").contains("cannot read the folder of the data"));
    place.expect(0, "evaluate run --data moved");
    place.expect(0, "resume run --iterations 3 --data moved");
    // other drawings are not those of the run
    std::fs::remove_file(place.path("moved/more.zip")).unwrap();
    for command in ["evaluate run --data moved", "resume run --iterations 4 --data moved"] {
        let told = place.expect(4, command);
        assert!(told.contains("these are not the data of the run's training"), "{told}");
    }
    place.expect(0, "train tiny.toml --iterations 1 --run-dir control --no-evaluate");
    assert!(place.expect(2, "evaluate control --data moved").contains("--data is for tasks of examples"));
    // without the unseen alphabet there is nothing to evaluate on outside the training distribution
    std::fs::remove_dir_all(place.path("moved/Tagalog")).unwrap();
    place.expect(0, &format!("train omniglot --data moved --iterations 1 --run-dir other {small}"));
    assert!(place.expect(4, "evaluate other --split ood").contains("of the alphabets Balinese"));
    for (arguments, code, reason) in [
        ("train omniglot", 3, "the images are not part of metadrift: --data DIR"),
        ("train omniglot --data nowhere", 4, "cannot read the folder of the data"),
        ("train omniglot --data .", 4, "needs characters in files ALPHABET/CHARACTER/DRAWING.png"),
        ("train cartpole-flip --data .", 2, "--data is for tasks of examples, but cartpole-flip has an environment"),
        ("evaluate other --timing", 2, "--timing needs an environment"),
        ("evaluate other --episodes 3", 2, "--episodes needs an environment"),
    ] {
        std::fs::create_dir_all(place.path("moved/empty")).unwrap();
        let arguments = arguments.replace("--data .", "--data moved/empty");
        let told = place.expect(code, &arguments);
        assert!(told.contains(reason), "{arguments}: {told}");
    }
}

/// Made-up sentences, in which a word before a mention tells its type.
#[test]
fn mentions_in_sentences_are_learned() {
    let folder = tempfile::tempdir().unwrap();
    for domain in ["music", "politics", "ai"] {
        let mut text = String::new();
        for number in 0..400 {
            let kind = number % 5;
            text += &format!("see\tO\nword{kind}\tO\n{domain}{number}\tB-type{kind}\nmore\tI-type{kind}\nend\tO\n\n");
        }
        std::fs::create_dir(folder.path().join(domain)).unwrap();
        std::fs::write(folder.path().join(domain).join("train.txt"), text).unwrap();
    }
    let data = format!("examples.data={}", toml::Value::from(folder.path().display().to_string()));
    let accuracy = accuracies(presets::load("entities", &[data]).unwrap(), 40);
    assert!((accuracy[0] - 0.2).abs() < 0.1 && accuracy[3] > 0.8, "{accuracy:?}");
    let none = presets::load("entities", &[]).unwrap().check_data().unwrap_err().to_string();
    assert!(none.contains("--data DIR names their folder"), "{none}");
}

/// Shares of right answers outside the training distribution, after each number of steps.
fn accuracies(config: Experiment, iterations: u64) -> Vec<f64> {
    let found = trained(config, iterations, (Split::Ood, 100));
    found.curve.iter().map(|point| point.accuracy.as_ref().unwrap().mean).collect()
}
