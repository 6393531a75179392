//! Probe environments: each isolates one ability of a learner, and has a known answer.
//!
//! Every probe takes two actions, 0 and 1, and lasts one step ([`ProbeDiscount`]: two). A learner that fails one of
//! them has a defect that a long run on a real task would only blur.
//!
//! | probe | isolated ability | known answer |
//! |---|---|---|
//! | [`ProbeConstant`] | the value of a constant | value 1 |
//! | [`ProbeObs`] | a value that depends on the observation | value(obs) = obs |
//! | [`ProbeDiscount`] | discounting, bootstrapping | value(0) = gamma, value(1) = 1 |
//! | [`ProbeAction`] | the policy gradient | always action 1, return 1 |
//! | [`ProbePolicy`] | a policy that depends on the observation | action 1 where obs = 1, else 0; return 1 |
//! | [`ProbeSign`] | adaptation | below |
//!
//! [`ProbeSign`] pays the output of the actuator: with the channel `actuator_gain` at +1 or -1,
//! equally likely and hidden, a policy that does not adapt earns 0 on average whatever it does;
//! one that has adapted earns 1 (action 1 for gain +1, action 0 for gain -1).

use crate::physics::{
    env::{Env, Transition},
    real::Real,
    spec::{ActionSpace, EnvSpec},
};

/// Defines one probe: its name, its description, the initial state from a uniform number, and
/// `(state, command, applied) -> (next state, reward, terminated)`. The observation is the state.
macro_rules! probe {
    ($probe:ident, $name:literal, $doc:literal, horizon $horizon:literal,
     reset |$u:ident| $initial:expr, step |$state:ident, $command:ident, $applied:ident| $outcome:expr) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug)]
        pub struct $probe;

        impl Env for $probe {
            const SPEC: EnvSpec = EnvSpec {
                name: $name,
                doc: $doc,
                observations: &["signal"],
                action: ActionSpace::Discrete(2),
                params: &[],
                horizon: $horizon,
                variants: false,
            };
            type Params<R: Real> = ();
            type State<R: Copy> = [R; 1];
            type Obs<R: Copy> = [R; 1];
            type Action<R: Copy> = [R; 1];

            #[inline(always)]
            fn params<R: Real>(_get: impl Fn(usize) -> R) {}

            #[inline(always)]
            fn reset<R: Real>(_params: &(), [$u, ..]: [R; 4]) -> [R; 1] {
                [$initial]
            }

            /// The sign +1 for action 1, else -1.
            #[inline(always)]
            fn command<R: Real>(_params: &(), [action]: [R; 1]) -> [R; 1] {
                [sign(action == number(1.0))]
            }

            #[inline(always)]
            fn step<R: Real>(
                _params: &(),
                [$state]: [R; 1],
                [$command]: [R; 1],
                [$applied]: [R; 1],
            ) -> Transition<[R; 1], R> {
                let (state, reward, terminated) = $outcome;
                Transition { state: [state], reward, terminated }
            }

            #[inline(always)]
            fn observe<R: Real>(_params: &(), state: [R; 1]) -> [R; 1] {
                state
            }
        }
    };
}

#[inline(always)]
fn number<R: Real>(value: f64) -> R {
    R::from_f64(value)
}

/// The number +1 or -1.
#[inline(always)]
fn sign<R: Real>(positive: bool) -> R {
    if positive { number(1.0) } else { number(-1.0) }
}

probe!(
    ProbeConstant, "probe-constant", "one step, reward 1 whatever happens", horizon 1,
    reset |_u| number(0.0),
    step |signal, _command, _applied| (signal, number(1.0), true)
);

probe!(
    ProbeObs, "probe-obs", "one step, the reward is the observation: +1 or -1, equally likely", horizon 1,
    reset |u| sign(u >= number(0.5)),
    step |signal, _command, _applied| (signal, signal, true)
);

probe!(
    ProbeDiscount, "probe-discount", "two steps: observation 0 and reward 0, then 1 and 1", horizon 2,
    reset |_u| number(0.0),
    step |signal, _command, _applied| (number(1.0), signal, signal == number(1.0))
);

probe!(
    ProbeAction, "probe-action", "one step, reward +1 for action 1 and -1 for action 0", horizon 1,
    reset |_u| number(0.0),
    step |signal, command, _applied| (signal, command, true)
);

probe!(
    ProbePolicy, "probe-policy", "one step, +1 if the action has the sign of the observation, else -1", horizon 1,
    reset |u| sign(u >= number(0.5)),
    step |signal, command, _applied| (signal, signal * command, true)
);

probe!(
    ProbeSign, "probe-sign", "one step, the reward is what the actuator delivers", horizon 1,
    reset |_u| number(0.0),
    step |signal, _command, applied| (signal, applied, true)
);
