//! The choice of the actor for a policy.

use metadrift_agents::layout::{Core, Layout};
use metadrift_envs::{EnvSpec, Stream};

use super::{
    identifying::Identifying,
    network::{Actions, Network},
    remembering::Remembering,
    steps::{Actor, Memories},
};

/// The policy `(layout, params)` as an actor that remembers `memories` where it has a memory; see [`Network::new`].
pub fn actor<'a>(
    (layout, params): (&Layout, &[f32]),
    (spec, envs): (&EnvSpec, usize),
    actions: Actions,
    stream: Stream,
    place: &'a (dyn Fn() -> String + Sync),
    memories: &Memories,
) -> Box<dyn Actor + 'a> {
    match layout.core() {
        Core::Feedforward | Core::Context { .. } => {
            Box::new(Network::new((layout, params), (spec, envs), actions, stream, place))
        }
        Core::Recurrent { .. } => {
            let mut actor = Remembering::new((layout, params), (spec, envs), actions, stream, place);
            actor.recall(memories);
            Box::new(actor)
        }
        Core::Model => Box::new(Identifying::new(params, (spec, envs), memories)),
    }
}
