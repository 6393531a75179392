//! The list of environments, and the way from a name to a type.

use std::{
    hash::{Hash, Hasher},
    sync::OnceLock,
};

use crate::{
    dynamics::{Dynamics, dynamics},
    physics::{
        cartpole::{CartPole, CartPoleParams},
        cartpole_balance::CartPoleBalance,
        complex_ode::ComplexOde,
        double_integrator::DoubleIntegrator,
        env::Env,
        navigation::{Navigation, NavigationRotated},
        pendulum::Pendulum,
        probe::{ProbeAction, ProbeConstant, ProbeDiscount, ProbeObs, ProbePolicy, ProbeSign},
        spec::EnvSpec,
        version::{IntegratorKind, Version},
    },
    replay::{Initial, Trajectory, replay_flat},
    tasks::{
        error::{TaskError, nearest_first},
        task::Task,
    },
};

/// Defines everything that the list of environments determines: the enum, its table, and the macro that turns a kind
/// into a type.
macro_rules! environments {
    ($dollar:tt $($kind:ident),+ $(,)?) => {
        /// An environment chosen at run time.
        #[derive(Clone, Copy, Debug)]
        pub enum EnvKind {
            $(
                #[doc = concat!("[`", stringify!($kind), "`].")]
                $kind,
            )+
            /// An environment of another crate.
            Own(&'static dyn Dynamics),
        }

        impl EnvKind {
            /// The environments of this crate.
            pub const ALL: &'static [EnvKind] = &[$(EnvKind::$kind),+];

            /// The environment without its type. Not inlined: each crate that calls it would compile all environments again.
            #[inline(never)]
            pub fn dynamics(self) -> &'static dyn Dynamics {
                match self {
                    $(EnvKind::$kind => dynamics::<$kind>(),)+
                    EnvKind::Own(own) => own,
                }
            }
        }

        /// Runs generic code for an [`EnvKind`] of this crate: `with_env!(kind, E => run::<E>(x), own => other(own))`
        /// evaluates the first expression with `E` standing for the environment's type, or the second one with `own`
        /// for the [`Dynamics`] of an environment of another crate.
        #[macro_export]
        macro_rules! with_env {
            ($dollar kind:expr, $dollar env:ident => $dollar body:expr, $dollar own:pat => $dollar other:expr) => {
                match $dollar kind {
                    $($crate::EnvKind::$kind => {
                        type $dollar env = $crate::$kind;
                        $dollar body
                    })+
                    $crate::EnvKind::Own($dollar own) => $dollar other,
                }
            };
        }
    };
}

environments!($
    CartPole,
    Pendulum,
    Navigation,
    NavigationRotated,
    DoubleIntegrator,
    ComplexOde,
    CartPoleBalance,
    ProbeConstant,
    ProbeObs,
    ProbeDiscount,
    ProbeAction,
    ProbePolicy,
    ProbeSign,
);

/// Environments of other crates, registered once at the start of the program.
static OWN: OnceLock<Vec<EnvKind>> = OnceLock::new();

impl EnvKind {
    /// Registers environments of other crates by their names, once in a process and before any is looked up.
    ///
    /// # Errors
    /// On a name that two environments share, and on a second call.
    pub fn register(own: &[&'static dyn Dynamics]) -> Result<(), String> {
        let kinds: Vec<EnvKind> = own.iter().map(|dynamics| EnvKind::Own(*dynamics)).collect();
        let name = |kind: &EnvKind| kind.spec().name;
        for (index, kind) in kinds.iter().enumerate() {
            if EnvKind::ALL.iter().chain(&kinds[..index]).any(|other| name(other) == name(kind)) {
                return Err(format!("two environments have the name `{}`", name(kind)));
            }
        }
        OWN.set(kinds).map_err(|_| "environments are registered already".to_owned())
    }

    /// The environments that have a name: those of this crate, and those that were registered.
    pub fn all() -> impl Iterator<Item = EnvKind> {
        EnvKind::ALL.iter().chain(OWN.get().into_iter().flatten()).copied()
    }

    /// The description.
    pub fn spec(self) -> &'static EnvSpec {
        self.dynamics().spec()
    }

    /// The environment of that name.
    ///
    /// # Errors
    /// If there is none; the message lists those that exist, nearest first.
    pub fn from_name(name: &str) -> Result<EnvKind, TaskError> {
        EnvKind::all().find(|kind| kind.spec().name == name).ok_or_else(|| TaskError::UnknownEnv {
            path: "task.env".to_string(),
            name: name.to_string(),
            known: nearest_first(name, EnvKind::all().map(|kind| kind.spec().name.to_string())),
        })
    }
}

/// Two kinds are equal if their names are.
impl PartialEq for EnvKind {
    fn eq(&self, other: &Self) -> bool {
        self.spec().name == other.spec().name
    }
}

impl Eq for EnvKind {}

impl Hash for EnvKind {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.spec().name.hash(state);
    }
}

/// Replays actions as [`replay`](crate::replay()) does, for an environment known at run time: `params` are physical
/// parameters by name (defaults for the rest), `actions` are flat, `[steps, act_dim]`.
///
/// # Errors
/// On an unknown or illegal parameter, numbers of the wrong count, an action that is not in the action space, and an
/// integrator that a task file of the environment could not name either.
pub fn replay_kind(
    kind: EnvKind,
    integrator: Option<IntegratorKind>,
    params: &[(&str, f64)],
    initial: Initial<'_>,
    actions: &[f64],
) -> Result<Trajectory, TaskError> {
    let spec = kind.spec();
    let mut task = Task::nominal(spec);
    for (name, value) in params {
        task = task.with(spec, name, *value)?;
    }
    if let Some(problem) = integrator.and_then(|integrator| spec.check_integrator(integrator).err()) {
        return Err(TaskError::Invalid { path: "integrator".to_string(), problem });
    }
    match (kind, integrator) {
        (EnvKind::CartPole, Some(integrator)) => {
            let params = CartPole::params(|index| task.values[index]);
            let params = CartPoleParams { version: Version { integrator, ..Version::FULL }, ..params };
            replay_flat::<CartPole>(&params, initial, actions)
        }
        _ => kind.dynamics().replay(&task.values, initial, actions),
    }
}
