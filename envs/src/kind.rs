//! The list of environments, and how a name becomes a type.

use crate::env::{Env, EnvSpec};
use crate::task::{TaskError, nearest_first};
use crate::{
    CartPole, Navigation, NavigationRotated, Pendulum, ProbeAction, ProbeConstant, ProbeDiscount, ProbeObs,
    ProbePolicy, ProbeSign,
};

/// Lists the environments once: the enum, its table, and the macro that turns a kind into a type.
macro_rules! environments {
    ($dollar:tt $($kind:ident),+ $(,)?) => {
        /// An environment chosen at run time; `with_env!` turns it into the type.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum EnvKind {
            $(
                #[doc = concat!("[`", stringify!($kind), "`].")]
                $kind,
            )+
        }

        impl EnvKind {
            /// All environments.
            pub const ALL: &'static [EnvKind] = &[$(EnvKind::$kind),+];

            /// The description.
            pub fn spec(self) -> &'static EnvSpec {
                match self {
                    $(EnvKind::$kind => const { &<$kind as Env>::SPEC },)+
                }
            }
        }

        /// Runs generic code for an [`EnvKind`]: `with_env!(kind, E => run::<E>(x))` evaluates
        /// the expression with `E` standing for the environment's type.
        #[macro_export]
        macro_rules! with_env {
            ($dollar kind:expr, $dollar env:ident => $dollar body:expr) => {
                match $dollar kind {
                    $($crate::EnvKind::$kind => {
                        type $dollar env = $crate::$kind;
                        $dollar body
                    })+
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
    ProbeConstant,
    ProbeObs,
    ProbeDiscount,
    ProbeAction,
    ProbePolicy,
    ProbeSign,
);

impl EnvKind {
    /// The environment of that name.
    ///
    /// # Errors
    /// If there is none; the message lists those that exist, nearest first.
    pub fn from_name(name: &str) -> Result<EnvKind, TaskError> {
        let found = EnvKind::ALL.iter().find(|kind| kind.spec().name == name);
        found.copied().ok_or_else(|| TaskError::UnknownEnv {
            path: "task.env".to_string(),
            name: name.to_string(),
            known: nearest_first(name, EnvKind::ALL.iter().map(|kind| kind.spec().name.to_string())),
        })
    }
}
