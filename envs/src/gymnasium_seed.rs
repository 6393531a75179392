//! The initial states that Gymnasium draws for a seed, bit for bit.
//!
//! The call `env.reset(seed=s)` makes NumPy's `SeedSequence(s)` (a hash by M. O'Neill, "Developing a seed_seq
//! alternative", 2015; `numpy/random/bit_generator.pyx`), seeds PCG64 with it (XSL-RR 128/64,
//! `numpy/random/src/pcg64`) and takes as many doubles as the state has components.

use crate::physics::env::{Array, Env};

/// Number of 32-bit words of entropy in a `SeedSequence`.
const POOL: usize = 4;

/// NumPy's `SeedSequence(seed)`, mixed.
fn entropy_pool(seed: u64) -> [u32; POOL] {
    let mut constant = 0x43b0_d7e5_u32;
    let mut hash = |value: u32| {
        let value = value ^ constant;
        constant = constant.wrapping_mul(0x931e_8875);
        let value = value.wrapping_mul(constant);
        value ^ value >> 16
    };
    let mut pool = [seed as u32, (seed >> 32) as u32, 0, 0].map(&mut hash);
    for from in 0..POOL {
        for to in (0..POOL).filter(|to| *to != from) {
            let mixed = pool[to].wrapping_mul(0xca01_f9dd).wrapping_sub(hash(pool[from]).wrapping_mul(0x4973_f715));
            pool[to] = mixed ^ mixed >> 16;
        }
    }
    pool
}

/// NumPy's `SeedSequence(seed).generate_state(4, uint64)`.
fn generated_state(seed: u64) -> [u64; 4] {
    let pool = entropy_pool(seed);
    let mut constant = 0x8b51_f9dd_u32;
    let mut word = |index: usize| {
        let value = pool[index % POOL] ^ constant;
        constant = constant.wrapping_mul(0x58f3_8ded);
        let value = value.wrapping_mul(constant);
        u64::from(value ^ value >> 16)
    };
    std::array::from_fn(|i| word(2 * i) | word(2 * i + 1) << 32)
}

/// NumPy's `PCG64(SeedSequence(seed))`, the generator of `gymnasium.utils.seeding.np_random(seed)`.
#[derive(Clone, Debug)]
pub struct Pcg64 {
    state: u128,
    increment: u128,
}

impl Pcg64 {
    /// The generator that a Gymnasium environment has after `reset(seed=seed)` and before its draws.
    pub fn new(seed: u64) -> Pcg64 {
        let words = generated_state(seed);
        let pair = |high: u64, low: u64| u128::from(high) << 64 | u128::from(low);
        let mut pcg = Pcg64 { state: 0, increment: pair(words[2], words[3]) << 1 | 1 };
        pcg.step();
        pcg.state = pcg.state.wrapping_add(pair(words[0], words[1]));
        pcg.step();
        pcg
    }

    fn step(&mut self) {
        const MULTIPLIER: u128 = 0x2360_ED05_1FC6_5DA4_4385_DF64_9FCC_F645;
        self.state = self.state.wrapping_mul(MULTIPLIER).wrapping_add(self.increment);
    }

    /// The next 64 random bits.
    pub fn next_u64(&mut self) -> u64 {
        self.step();
        let folded = (self.state >> 64) as u64 ^ self.state as u64;
        folded.rotate_right((self.state >> 122) as u32)
    }

    /// A uniform number in [0, 1): the top 53 bits times 2^-53.
    pub fn next_f64(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 * (1.0 / 9_007_199_254_740_992.0)
    }
}

/// The initial state of `E` after Gymnasium's `reset(seed=seed)`.
pub fn seeded_state<E: Env>(params: &E::Params<f64>, seed: u64) -> E::State<f64> {
    let mut pcg = Pcg64::new(seed);
    let mut uniform = [0.0; 4];
    // one draw for each component of the state, in its order; the rest is not used
    uniform.iter_mut().take(E::State::<f64>::LEN).for_each(|u| *u = pcg.next_f64());
    E::reset(params, uniform)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CartPole, Pendulum, Task};

    // Python 3.11, NumPy 2.4.6, Gymnasium 1.4.0: `np.random.SeedSequence(s).generate_state(4, np.uint64)`,
    // `np.random.PCG64(np.random.SeedSequence(s)).random_raw(3)`, `gym.make(id).unwrapped.reset(seed=s)`
    type Vector = (u64, [u64; 4], [u64; 3]);
    const WORDS: [Vector; 4] = [
        (
            0,
            [0xdb2cd7e7b0f478be, 0xabf4641a2c71ba49, 0x20c6ed6d9d7b8d41, 0x2c4099de223c39d4],
            [0xa30febcfd9c2825f, 0x4510bdf882d9d721, 0x0a7d3da94ecde8b8],
        ),
        (
            42,
            [0x9f1e2e6dcd540ab7, 0xd57873dc79fb94b6, 0x7d282a1b64d420b7, 0x336579714692d5ff],
            [0xc621fbcd16d92688, 0x705a5661a791ffc1, 0xdbcd12c26eda1624],
        ),
        (
            1 << 32,
            [0x50ff846cec53f444, 0x7a4918dbe8278562, 0x3bff9f6c362e2b19, 0xbdb177539a0654e3],
            [0xe3c5ebe285ac1625, 0x8ea09968fe31dbcc, 0xcd084ff84d8de9be],
        ),
        (
            u64::MAX,
            [0xaebca151928cad0d, 0x119c30448638dc7a, 0x1bbb155659e642a7, 0xa76b11e3e8c4a8f6],
            [0xae163a7a8c47568f, 0xd86659f5f3382359, 0x01e52b195bc2d24a],
        ),
    ];
    const STATES: [(u64, [f64; 4], [f64; 2]); 7] = [
        (
            0,
            [0.013696168732145436, -0.02302132862361297, -0.045902647606380534, -0.04834723644714709],
            [0.8605556614246863, -0.4604265724722594],
        ),
        (
            1,
            [0.0011821624700256717, 0.045046369632593536, -0.03558403872803663, 0.04486494471372439],
            [0.07427745862364432, 0.9009273926518706],
        ),
        (
            42,
            [0.027395604855596334, -0.006112156024794771, 0.03585979199113824, 0.019736802905936393],
            [1.721316619099806, -0.12224312049589536],
        ),
        (
            u32::MAX as u64,
            [-0.02480564319550035, -0.028093420371314338, -0.021271527956482985, 0.011898130253268316],
            [-1.5585845286110707, -0.5618684074262867],
        ),
        (
            1 << 32,
            [0.03897387912781343, 0.005713805020622631, 0.03009080868919721, 0.04565138174753386],
            [2.4488010469967048, 0.11427610041245262],
        ),
        (
            (1 << 40) + 7,
            [0.0329812891829413, -0.024469484165089584, -0.03462092841470125, 0.017450454586760852],
            [2.0722755160609783, -0.48938968330179167],
        ),
        (
            u64::MAX,
            [0.018002667896169305, 0.03453117585624743, -0.049259691840074, 0.039456812643914735],
            [1.131140984152447, 0.6906235171249486],
        ),
    ];

    #[test]
    fn seeds_and_words_are_those_of_numpy() {
        for (seed, state, words) in WORDS {
            assert_eq!(generated_state(seed), state, "{seed}");
            let mut pcg = Pcg64::new(seed);
            assert_eq!(std::array::from_fn(|_| pcg.next_u64()), words, "{seed}");
        }
    }

    #[test]
    fn initial_states_are_those_of_gymnasium_to_the_bit() {
        let nominal = Task::nominal(&CartPole::SPEC).values;
        let cartpole = CartPole::params(|index| nominal[index]);
        let nominal = Task::nominal(&Pendulum::SPEC).values;
        let pendulum = Pendulum::params(|index| nominal[index]);
        for (seed, on_cart, on_joint) in STATES {
            assert_eq!(seeded_state::<CartPole>(&cartpole, seed), on_cart, "{seed}");
            assert_eq!(seeded_state::<Pendulum>(&pendulum, seed), on_joint, "{seed}");
        }
    }
}
