//! The actions of a log against the policy that is said to have drawn them.

use metadrift_agents::{host_policy::HostPolicy, rollout::Rollout};
use metadrift_envs::ActionSpace;

use super::read::{Form, Log, LogError};
use crate::live::log_probs;

/// Largest distance of a drawn action from the mean (standard deviations). The program's own draws reach 5.8, since a
/// uniform number of 24 bits is at least 2^-24 and sqrt(-2 ln 2^-24) = 5.77.
const FARTHEST: f32 = 6.0;
/// Logarithm of the probability below which it is no chance that every action is the most likely one: 1e-9.
const NO_CHANCE: f32 = -20.7;

/// Writes the log-probabilities of the actions of `log` under `policy`.
///
/// # Errors
/// [`LogError`] if the policy has not drawn them: one is farther from the mean than a draw can be, or all are the most likely
/// ones.
pub(super) fn complete(log: &mut Log, policy: &HostPolicy, form: &Form<'_>) -> Result<(), LogError> {
    let found = log_probs(policy, &log.data);
    let best = most_likely(policy, &log.data);
    let of_best = log_probs(policy, &best);
    let column = form.columns.action(0);
    if let ActionSpace::Box { dim, bound } = form.columns.space {
        let far = |at: &usize| 2.0 * (of_best[*at] - found[*at]) > FARTHEST * FARTHEST * dim as f32;
        if let Some(at) = log.data.task(0).rows().find(far) {
            let problem = format!(
                "the policy of the run has not drawn this action: it lies more than {FARTHEST} standard deviations from its \
                 mean. Is it in the environment's unit, with a limit of {bound}, and the log of this run's policy?"
            );
            return Err(form.error(log.lines[at], Some(column), problem));
        }
    }
    let steps = log.data.task(0);
    let chance: f32 = match form.columns.space {
        ActionSpace::Discrete(_) => steps.rows().map(|at| of_best[at]).sum(),
        ActionSpace::Box { .. } => f32::NEG_INFINITY,
    };
    if steps.rows().all(|at| found[at] == of_best[at]) && chance < NO_CHANCE {
        let problem =
            "every action is the policy's most likely one, which teaches nothing: log episodes whose actions are \
                       drawn from the policy"
                .to_owned();
        return Err(form.error(log.lines[0], Some(column), problem));
    }
    let mut slabs = log.data.slabs();
    slabs[0].log_prob.copy_from_slice(&found);
    slabs[0].clear_padding();
    drop(slabs);
    Ok(())
}

/// The same steps with the most likely actions.
fn most_likely(policy: &HostPolicy, data: &Rollout) -> Rollout {
    let mut best = data.clone();
    let steps = data.task(0);
    let mut out = vec![0.0; steps.reward.len() * policy.outputs()];
    policy.forward(steps.obs, &mut out, &mut policy.scratch());
    policy.mode(&out, best.slabs()[0].action);
    best
}
