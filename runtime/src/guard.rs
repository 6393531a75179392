//! A guard that keeps an adapted policy only while it is not shown to be worse than the unadapted one.
//!
//! A coin decides before each episode which of the two acts; it favours the one that has the better evidence. With r the
//! return, in [0, 1], and p the probability that the unadapted policy acts, Z = (r - 1/2) (adapted acts / (1 - p) - unadapted acts / p) has the
//! difference of the two expected returns as its mean, at every moment, however the world moves. Against the hypothesis
//! that the adapted policy is never worse, the product of 1 - l Z over the episodes is a fair or losing bet for every
//! l >= 0 that is chosen before, so that by Ville's inequality it exceeds 1/a at any time with probability a at most
//! (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", and Waudby-Smith et al. 2024,
//! "Anytime-valid off-policy inference for contextual bandits"). The same bet with the other sign shows that it is better.
//! Returns are scaled to the range of those seen before in the life and cut off at its ends: the test is of returns so
//! scaled.

use crate::fault::Fault;

/// Probability that the unadapted policy acts while nothing is known. An even coin gains more where adaptation helps, and harms
/// three times as many lives where it does not (docs/living.md).
const TRIAL: f64 = 0.75;
/// Its range: the least is that while the adapted policy is trusted.
const RANGE: [f64; 2] = [0.02, 0.9];
/// Shares of the largest legal stake.
const STAKES: [f64; 3] = [0.2, 0.5, 0.9];
/// Share of the capital that is laid at once.
const FIRST: f64 = 0.8;

/// The guard's opinion of the adapted policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opinion {
    /// Not enough is known: both policies act, by a coin.
    Trial,
    /// It seems better: the unadapted one acts now and then.
    Trusted,
    /// It was shown to be worse: the unadapted one acts.
    RolledBack,
}

impl Opinion {
    /// The name for people and files.
    pub fn name(self) -> &'static str {
        match self {
            Opinion::Trial => "trial",
            Opinion::Trusted => "trusted",
            Opinion::RolledBack => "rolled-back",
        }
    }

    /// The opinion of that name.
    pub fn of(name: &str) -> Option<Opinion> {
        [Opinion::Trial, Opinion::Trusted, Opinion::RolledBack].into_iter().find(|opinion| opinion.name() == name)
    }
}

/// A bet against a hypothesis: the capital of several stakes. A part of it is laid only later, so that a change late in a life
/// is found, too: the share 1 / (t (t - 1)) of that part before episode t.
#[derive(Clone, Debug)]
struct Bet {
    /// Capital that is at stake, for each of [`STAKES`].
    laid: [f64; STAKES.len()],
    /// Capital that is not yet.
    kept: f64,
    episodes: f64,
}

impl Bet {
    fn new() -> Bet {
        Bet { laid: [0.0; STAKES.len()], kept: 1.0, episodes: 0.0 }
    }

    /// Bets on a gain `z` in [-1, 1] whose mean is at most 0 by the hypothesis.
    fn on(&mut self, z: f64) {
        self.episodes += 1.0;
        let later = (1.0 - FIRST) / (self.episodes * (self.episodes - 1.0));
        let fresh = if self.episodes == 1.0 { FIRST } else { later };
        self.kept -= fresh;
        for (laid, stake) in self.laid.iter_mut().zip(STAKES) {
            *laid = (*laid + fresh / STAKES.len() as f64) * (1.0 + stake * z);
        }
    }

    /// The capital: an e-value.
    fn capital(&self) -> f64 {
        self.kept.max(0.0) + self.laid.iter().sum::<f64>()
    }
}

/// The guard of one life. It allocates nothing.
///
/// ```
/// use metadrift_runtime::{guard::Guard, uniforms};
///
/// let mut guard = Guard::new(0.05)?;
/// for episode in 0..100 {
///     let adapted = guard.adapted_acts(uniforms(9, episode)[0].into())?;
///     let returned = if adapted { 10.0 } else { 90.0 }; // the adapted policy is worse here
///     if guard.see(returned, adapted)? {
///         break; // it is taken back: the unadapted one acts from here on
///     }
/// }
/// assert_eq!(guard.opinion().name(), "rolled-back");
/// # Ok::<(), metadrift_runtime::Fault>(())
/// ```
#[derive(Clone, Debug)]
pub struct Guard {
    /// E-value that is enough: the k-th trial has the level `level` / 2^k.
    enough: f64,
    rolled_back: bool,
    worse: Bet,
    better: Bet,
    /// Least and largest return so far.
    range: Option<[f64; 2]>,
}

impl Guard {
    /// A guard that rolls back an adapted policy that is never worse with probability `level` at most, in a whole life.
    ///
    /// # Errors
    /// If `level` is not above 0 and below 1.
    pub fn new(level: f64) -> Result<Guard, Fault> {
        if !(level > 0.0 && level < 1.0) {
            return Err(Fault::NotFinite("a level above 0 and below 1"));
        }
        let (worse, better) = (Bet::new(), Bet::new());
        Ok(Guard { enough: 2.0 / level, rolled_back: false, worse, better, range: None })
    }

    /// Its opinion.
    pub fn opinion(&self) -> Opinion {
        match self.unadapted() {
            p if p >= 1.0 => Opinion::RolledBack,
            p if p <= RANGE[0] => Opinion::Trusted,
            _ => Opinion::Trial,
        }
    }

    /// Probability that the unadapted policy acts in the coming episode. It may be any that is known before.
    fn unadapted(&self) -> f64 {
        if self.rolled_back {
            return 1.0;
        }
        (TRIAL * self.worse.capital() / self.better.capital()).clamp(RANGE[0], RANGE[1])
    }

    /// The e-value that the adapted policy is worse.
    pub fn evidence(&self) -> f64 {
        self.worse.capital()
    }

    /// Says whether the adapted policy acts in the coming episode, for a uniform number in [0, 1).
    ///
    /// # Errors
    /// If the number is another one.
    pub fn adapted_acts(&self, uniform: f64) -> Result<bool, Fault> {
        if !(0.0..1.0).contains(&uniform) {
            return Err(Fault::NotFinite("a uniform number in [0, 1)"));
        }
        Ok(uniform >= self.unadapted())
    }

    /// Takes in the return of an episode, and who acted. True if the adapted policy is rolled back because of it.
    ///
    /// # Errors
    /// If the return is not finite. The guard stays as it was.
    pub fn see(&mut self, returned: f64, adapted: bool) -> Result<bool, Fault> {
        if !returned.is_finite() {
            return Err(Fault::NotFinite("the return"));
        }
        let before = self.range;
        let [low, high] = before.unwrap_or([returned; 2]);
        self.range = Some([low.min(returned), high.max(returned)]);
        if self.rolled_back || high <= low {
            return Ok(false);
        }
        let scaled = ((returned - low) / (high - low)).clamp(0.0, 1.0) - 0.5;
        let p = self.unadapted();
        // in units of its largest possible size, 1/2 / min(p, 1 - p)
        let unit = 2.0 * p.min(1.0 - p);
        let z = unit * if adapted { scaled / (1.0 - p) } else { -scaled / p };
        self.worse.on(-z);
        self.better.on(z);
        self.rolled_back = self.worse.capital() >= self.enough;
        Ok(self.rolled_back)
    }

    /// Begins a new trial, since the world has changed.
    pub fn renew(&mut self) {
        self.enough *= 2.0;
        (self.rolled_back, self.worse, self.better) = (false, Bet::new(), Bet::new());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uniforms;

    /// Lives of `episodes` under a guard with returns 0 or 1, the latter with probabilities `means(t)` of the adapted and
    /// the unadapted policy: the share of lives with a rollback, and the mean number of episodes in which the adapted policy
    /// acted while it was worse.
    fn lives(level: f64, episodes: u32, means: impl Fn(u32) -> [f64; 2]) -> (f64, f64) {
        let (mut rolled, mut harm) = (0, 0);
        for life in 0..10_000 {
            let mut guard = Guard::new(level).unwrap();
            for t in 0..episodes {
                let [coin, luck, ..] = uniforms(life, t.into()).map(f64::from);
                let adapted = guard.adapted_acts(coin).unwrap();
                let [a, u] = means(t);
                harm += u32::from(adapted && a < u);
                let returned = f64::from(u8::from(luck < if adapted { a } else { u }));
                rolled += u32::from(guard.see(returned, adapted).unwrap());
            }
        }
        (f64::from(rolled) / 10_000.0, f64::from(harm) / 10_000.0)
    }

    #[test]
    fn a_policy_that_is_not_worse_is_rolled_back_at_most_as_often_as_the_level_says() {
        // equal, better, and equal in a world that moves, with both means going up and down
        for means in
            [|_| [0.5, 0.5], |_| [0.6, 0.5], |t: u32| if (t / 20).is_multiple_of(2) { [0.2, 0.2] } else { [0.9, 0.9] }]
        {
            let (share, _) = lives(0.05, 200, means);
            assert!(share <= 0.05 + 3.0 * (0.05f64 * 0.95 / 10_000.0).sqrt(), "{share}");
        }
    }

    #[test]
    fn a_policy_that_is_worse_is_soon_rolled_back() {
        let (share, harm) = lives(0.05, 200, |_| [0.1, 0.9]);
        assert!(share > 0.99 && harm < 6.0, "{share} {harm}");
        // also if it was better for a long time before
        let (share, harm) = lives(0.05, 400, |t| if t < 50 { [0.9, 0.1] } else { [0.0, 1.0] });
        assert!(share > 0.9 && harm < 60.0, "{share} {harm}");
    }

    #[test]
    fn numbers_that_are_none_change_nothing() {
        assert!(Guard::new(0.0).is_err() && Guard::new(f64::NAN).is_err());
        let mut guard = Guard::new(0.05).unwrap();
        assert!(guard.adapted_acts(1.0).is_err() && guard.see(f64::INFINITY, true).is_err());
        assert_eq!(guard.evidence(), 1.0);
    }

    #[test]
    fn a_bet_by_hand() {
        // 0.8 of the capital is laid at once, a third of it on each stake: after a full loss 1 - stake is left of it
        let mut bet = Bet::new();
        bet.on(-1.0);
        assert!((bet.capital() - (0.2 + 0.8 / 3.0 * (0.8 + 0.5 + 0.1))).abs() < 1e-12);
        // then half of the rest, 0.1, and a full gain
        bet.on(1.0);
        let laid = [0.8, 0.5, 0.1].map(|left| 0.8 / 3.0 * left + 0.1 / 3.0);
        let won = 1.2 * laid[0] + 1.5 * laid[1] + 1.9 * laid[2];
        assert!((bet.capital() - (0.1 + won)).abs() < 1e-12);
    }
}
