//! Faults of logs, each in its place.

use metadrift_agents::rollout::Rollout;

use super::*;
use crate::{adapt::write, config::Experiment};

fn columns(env: &str) -> Columns {
    Columns::of(&Experiment::parse("x", &format!("name = \"x\"\ntask.env = \"{env}\"\n"), &[]).unwrap())
}

fn form(columns: &Columns) -> Form<'_> {
    Form { file: "log", columns, periods: [0.05, 0.05], own_obs: columns.obs_dim, horizon: 200 }
}

/// Two episodes of a pendulum: two steps to the time limit, and one step that terminates.
const PENDULUM: &str = "episode,time,obs_cos_theta,obs_sin_theta,obs_theta_dot,action_0,reward,end\n\
                        0,0,1,0,0.1,0.5,-1,\n0,0.05,0.9,0.1,0.2,-3,-2,\n0,0.1,0.8,0.2,0.3,,,truncated\n\
                        7,3.2,1,0,0,2,-4,\n7,3.25,0.5,0.5,1e-3,,,terminated\n";

#[test]
fn steps_episodes_and_units_are_read_as_they_stand() {
    let columns = columns("pendulum");
    let log = read(PENDULUM.as_bytes(), &form(&columns)).unwrap();
    let data = log.data.task(0);
    assert_eq!((log.episodes, &log.lines[..], data.valid_steps), (2, &[2, 5, 3, 0][..], &[2, 1][..]));
    // torques in N m, of which the policy's unit is 2
    assert_eq!(data.action, [0.25, 1.0, -1.5, 0.0]);
    assert_eq!(data.reward, [-1.0, -4.0, -2.0, 0.0]);
    assert_eq!(data.terminated, [false, true, false, false]);
    assert_eq!(data.truncated, [false, false, true, false]);
    assert_eq!(data.episode_step, [0, 0, 1, 0]);
    assert_eq!(data.obs[..9], [1.0, 0.0, 0.1, 1.0, 0.0, 0.0, 0.9, 0.1, 0.2]);
    assert_eq!(data.next_obs[..9], [0.9, 0.1, 0.2, 0.5, 0.5, 1e-3, 0.8, 0.2, 0.3]);
    // an editor's marks and line ends change nothing
    let marked = format!("\u{feff}{}", PENDULUM.replace('\n', "\r\n"));
    assert_eq!(read(marked.as_bytes(), &form(&columns)).unwrap().data, log.data);
}

#[test]
fn numbers_come_back_to_the_bit() {
    for env in ["pendulum", "navigation", "cartpole"] {
        let mut columns = columns(env);
        columns.scale = if env == "cartpole" { 1.0 } else { columns.scale * 0.3 };
        let (obs_dim, act_dim) = (columns.obs_dim, columns.act_dim);
        let shape = Shape { tasks: 1, steps: 200, envs: 3, obs_dim, act_dim };
        let mut data = Rollout::new(shape, 200);
        let mut word = 1_u32;
        let mut draw = || {
            word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // all exponents that a reading may have
            f32::from_bits(word & 0x807f_ffff | (96 + (word >> 7 & 63)) << 23)
        };
        let mut slabs = data.slabs();
        let slab = &mut slabs[0];
        slab.obs.fill_with(&mut draw);
        slab.reward.fill_with(&mut draw);
        slab.action.fill_with(|| if env == "cartpole" { 1.0 } else { draw() });
        slab.next_obs[..199 * 3 * obs_dim].copy_from_slice(&slab.obs[3 * obs_dim..]);
        slab.valid_steps.fill(200);
        drop(slabs);
        let text = write(&data, &columns, 0.05).unwrap();
        let found = read(&text, &form(&columns)).unwrap();
        assert_eq!(found.episodes, 3);
        let (old, new) = (data.task(0), found.data.task(0));
        for (to, from) in new.rows().zip(old.rows()) {
            let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(old.obs_at(old.obs, from)), bits(new.obs_at(new.obs, to)));
            assert_eq!(bits(&old.action[from * act_dim..][..act_dim]), bits(&new.action[to * act_dim..][..act_dim]));
            assert_eq!(old.reward[from].to_bits(), new.reward[to].to_bits());
        }
    }
}

/// The error of the log after `from` was replaced by `to`.
fn fault(from: &str, to: &str) -> String {
    assert!(PENDULUM.contains(from), "{from}");
    let text = PENDULUM.replacen(from, to, 1);
    read(text.as_bytes(), &form(&columns("pendulum"))).unwrap_err().to_string()
}

#[test]
fn every_fault_has_its_line_and_column() {
    for (from, to, told) in [
        ("reward,", "", "log, line 1, column reward: it is missing"),
        (
            "obs_theta_dot",
            "obs_thetadot",
            "log, line 1, column obs_thetadot: a log of this run has no such column. Did you",
        ),
        ("obs_sin_theta", "obs_cos_theta", "log, line 1, column obs_cos_theta: it is there twice"),
        ("action_0,reward", "reward,action_0", "log, line 1, column reward: it stands where action_0 is expected"),
        ("end\n", "end,mass\n", "log, line 1, column mass: a log of this run has no such column."),
        ("0,0,1,0,0.1,", "0,0,nan,0,0.1,", "log, line 2, column obs_cos_theta: `nan` is not a finite number"),
        ("0,0,1,0,0.1,", "0,0,1,0,1e39,", "log, line 2, column obs_theta_dot: `1e39` is not a finite number"),
        ("-3,-2,", "x,-2,", "log, line 3, column action_0: `x` is not a finite number"),
        ("-3,-2,", "-3,,", "log, line 3, column reward: it is empty where a finite number is expected"),
        ("-3,-2,", "-3,-2,yes", "log, line 3, column end: `yes` is neither terminated nor truncated nor empty"),
        ("-3,-2,", "-3,-2", "log, line 3: it has 7 cells where the first line has 8"),
        (
            "0,0.05,",
            "0,0.04,",
            "log, line 3, column time: 0.04 after the row before, where a step takes 0.05: another sample",
        ),
        (
            "0,0.05,",
            "0,0.15,",
            "log, line 3, column time: 0.15 after the row before, where a step takes 0.05: a gap, or",
        ),
        ("\n0,0.1,", "\n0,0.05,", "log, line 4, column time: 0 after the row before"),
        ("0,0.05,", "0,inf,", "log, line 3, column time: `inf` is not a finite number"),
        ("0,0.05,", "0.5,0.05,", "log, line 3, column episode: `0.5` is not a whole number"),
        (",,,truncated", ",1,,truncated", "log, line 4, column action_0: the row that ends an episode has the last"),
        (
            "0,0.1,0.8,0.2,0.3,,,truncated\n",
            "",
            "log, line 4, column episode: episode 7 begins, but episode 0 has no end",
        ),
        ("7,3.25,0.5,0.5,1e-3,,,terminated\n", "", "log, line 5, column end: episode 7 has no end"),
        ("7,3.2,1,0,0,2,-4,\n7,3.25", "0,3.25", "log, line 5, column episode: episode 0 goes on after its end"),
        ("7,3.2,1,0,0,2,-4,\n", "", "log, line 5, column episode: episode 7 ends without a step"),
    ] {
        let found = fault(from, to);
        assert!(found.starts_with(told), "{from} -> {to}: {found}");
    }
    let all = |text: &str| read(text.as_bytes(), &form(&columns("pendulum"))).unwrap_err().to_string();
    assert!(all("").starts_with("log, line 1: it is empty; the first line is episode,time,obs_cos_theta"));
    assert!(all(PENDULUM.lines().next().unwrap()).starts_with("log, line 1: there is no episode"));
    // one of two actions, and no third
    let columns = columns("cartpole");
    let text = format!("{}\n0,0,1,0,0,0,2,1,\n", columns.names.join(","));
    let found = read(text.as_bytes(), &form(&columns)).unwrap_err().to_string();
    assert!(found.starts_with("log, line 2, column action_0: `2` is not a whole number from 0 to 1"), "{found}");
}
