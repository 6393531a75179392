//! A network and its optimiser.

use std::sync::Arc;

use crate::{
    adam::Adam,
    backend::Backend,
    layout::Layout,
    optimizer::Optimizer,
    state::{Misfit, State},
};

/// A network that learns.
#[derive(Clone, Debug)]
pub struct Network {
    /// The parameters, `[num_params]`.
    pub params: Vec<f32>,
    /// The optimiser of `[num_params]` parameters.
    pub optimizer: Optimizer,
    pub(crate) backend: Arc<dyn Backend>,
}

impl Network {
    /// A network with the parameters `params`, and Adam.
    pub fn new(backend: Arc<dyn Backend>, params: Vec<f32>) -> Self {
        assert_eq!(params.len(), backend.layout().num_params(), "parameter vector and layout differ");
        let optimizer = Optimizer::Adam(Adam::new(params.len()));
        Network { params, optimizer, backend }
    }

    /// The network's shape.
    pub fn layout(&self) -> &Layout {
        self.backend.layout()
    }

    /// The backend that computes its gradients.
    pub fn backend(&self) -> &Arc<dyn Backend> {
        &self.backend
    }

    /// Puts parameters, as `name`, and the optimiser, as `optimizer`, into `state`.
    pub fn save(&self, state: &mut State, name: &str, optimizer: &str) {
        state.put(name, &self.params);
        self.optimizer.save(state, optimizer);
    }

    /// The same network as [`Network::save`] stored it.
    pub fn loaded(&self, state: &State, name: &str, optimizer: &str) -> Result<Self, Misfit> {
        let params = state.tensor(name, self.params.len())?;
        let optimizer = self.optimizer.loaded(state, optimizer)?;
        Ok(Network { params, optimizer, backend: self.backend.clone() })
    }
}
