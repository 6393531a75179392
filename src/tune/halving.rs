//! The next thing to do in a search: successive halving without waiting (Li et al., "A System for Massively Parallel
//! Hyperparameter Tuning", MLSys 2020, algorithm 2), whose promoted trials go on where they stand.

use super::{
    journal::State,
    order::{best_first, costs},
    plan::Plan,
    trial::Trial,
};

/// The next thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The trial of this index goes on to its next rung.
    GoOn(usize),
    /// A new trial begins.
    Begin,
    /// Nothing before another process has ended what it does.
    Wait,
    /// Nothing: all trials are over, or never go on.
    Over,
}

/// The next thing to do; `is_gone` says of a trial's worker whether it is gone.
pub fn next(plan: &Plan, trials: &[Trial], is_gone: &dyn Fn(&Trial) -> bool) -> Next {
    let own = |trial: &&Trial| trial.is_own;
    let running = |trial: &Trial| trial.is_own && trial.state == State::Running && trial.worker.is_some();
    // a trial whose process is gone is a trial begun
    if let Some(orphan) = trials.iter().position(|trial| running(trial) && is_gone(trial)) {
        return Next::GoOn(orphan);
    }
    if let Some(promoted) = promoted(plan, trials, &|_, count, factor| count / factor) {
        return Next::GoOn(promoted);
    }
    if trials.iter().filter(own).count() < plan.trials {
        return Next::Begin;
    }
    if trials.iter().any(running) {
        return Next::Wait;
    }
    // at the end, the best of a rung goes on where too few were there for a share
    let reached = |rung: usize| trials.iter().any(|trial| trial.is_own && trial.scores.len() > rung);
    let last = promoted(plan, trials, &|rung, _, _| usize::from(!reached(rung + 1)));
    last.map_or(Next::Over, Next::GoOn)
}

/// The trial to go on from the highest rung of which not yet as many as `quota` says have gone on; it is told the rung, the
/// number of trials there, and the factor of halving.
fn promoted(plan: &Plan, trials: &[Trial], quota: &dyn Fn(usize, usize, usize) -> usize) -> Option<usize> {
    let factor = plan.file.halving?.factor as usize;
    (0..plan.rungs.len() - 1).rev().find_map(|rung| {
        // one that failed holds nobody's place
        let is_there = |trial: &Trial| trial.is_own && trial.state != State::Fail && trial.scores.len() > rung;
        let there: Vec<usize> = (0..trials.len()).filter(|at| is_there(&trials[*at])).collect();
        let values: Vec<Vec<f64>> = there.iter().map(|at| costs(&trials[*at].scores[rung], &plan.directions)).collect();
        let mut best = best_first(&values).into_iter().map(|at| there[at]).take(quota(rung, there.len(), factor));
        let waits = |at: &usize| {
            let trial = &trials[*at];
            trial.scores.len() == rung + 1 && trial.state == State::Running && trial.worker.is_none()
        };
        best.find(waits)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tune::plan::tests::SPACE;

    fn plan(trials: usize) -> Plan {
        let text = SPACE.replace("trials = 27", &format!("trials = {trials}")).replace("first = 4", "first = 5");
        let plan = Plan::parse("x", &text.replace("factor = 3", "factor = 2")).unwrap();
        assert_eq!(plan.rungs, [5, 10, 20, 40]);
        plan
    }

    /// A trial that waits after these values.
    fn waiting(number: u64, scores: &[f64]) -> Trial {
        Trial {
            id: number,
            number,
            state: State::Running,
            point: None,
            scores: scores.iter().map(|value| vec![*value]).collect(),
            worker: None,
            claim: 1,
            failure: None,
            is_own: true,
        }
    }

    /// Runs a search whose trial `n` has the value of that index at all rungs; gives the order in which trials went on.
    fn course(plan: &Plan, values: &[f64]) -> (Vec<usize>, Vec<usize>) {
        let (mut trials, mut went): (Vec<Trial>, Vec<usize>) = (Vec::new(), Vec::new());
        loop {
            let at = match next(plan, &trials, &|_| false) {
                Next::Begin => {
                    trials.push(waiting(trials.len() as u64, &[]));
                    trials.len() - 1
                }
                Next::GoOn(at) => at,
                Next::Wait => panic!("nobody else works"),
                Next::Over => return (went, trials.iter().map(|trial| trial.scores.len()).collect()),
            };
            went.push(at);
            trials[at].scores.push(vec![values[at]]);
            if trials[at].scores.len() == plan.rungs.len() {
                trials[at].state = State::Complete;
            }
        }
    }

    #[test]
    fn trials_go_on_in_the_order_of_a_hand() {
        // halves: after 0 and 1 the better one, 1, goes on; after 2 nothing (1 of 3); after 3 the best two of four are 3 and
        // 1, so 3 goes on, and of the two in the second rung the better one, 3, to the third
        let (went, reached) = course(&plan(4), &[1.0, 2.0, 0.0, 3.0]);
        // at the end, the best of the third rung alone goes on to the last
        assert_eq!((went, reached), (vec![0, 1, 1, 2, 3, 3, 3, 3], vec![1, 2, 1, 4]));
        // one trial is trained to the end
        assert_eq!(course(&plan(1), &[1.0]).1, [4]);
        // eight, four, two, one, if the better ones come last
        let mut reached = course(&plan(8), &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]).1;
        assert_eq!(reached[7], 4);
        reached.sort();
        assert_eq!(reached[0], 1);
    }

    #[test]
    fn trials_of_the_dead_come_first_and_those_of_the_living_are_waited_for() {
        let plan = plan(2);
        let by = |name: &str| Trial { worker: Some(json!({ "process": name })), ..waiting(0, &[]) };
        let gone = |trial: &Trial| trial.worker.as_ref().is_some_and(|worker| worker["process"] == "dead");
        assert_eq!(next(&plan, &[by("alive")], &gone), Next::Begin);
        assert_eq!(next(&plan, &[by("alive"), by("dead")], &gone), Next::GoOn(1));
        assert_eq!(next(&plan, &[by("alive"), waiting(1, &[2.0])], &gone), Next::Wait);
        // a trial that failed, or of another program, goes on nowhere
        let failed = Trial { state: State::Fail, ..waiting(0, &[9.0]) };
        let foreign = Trial { is_own: false, ..by("dead") };
        assert_eq!(next(&plan, &[failed.clone(), waiting(1, &[1.0]), foreign], &gone), Next::GoOn(1));
        assert_eq!(next(&plan, &[failed.clone(), failed], &gone), Next::Over);
    }
}
