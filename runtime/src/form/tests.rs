//! Tests of the file of a policy: nothing is lost, and damage is noticed.

use super::*;

fn forms() -> Vec<Form> {
    let vector = |dim| Commands::Vector { dim, bound: 2.5 };
    let shapes = [
        (Layout::new(4, &[8, 5], Head::Categorical(3)), 4, Commands::Choices(3)),
        (Layout::new(6, &[], Head::Gaussian(2)).with_activation(Activation::Relu), 5, vector(2)),
        (Layout::new(3, &[7], Head::StateGaussian(1)).with_low_rank(2), 3, vector(1)),
        (Layout::new(3, &[7], Head::Gaussian(1)).with_context(3), 2, vector(1)),
        (Layout::recurrent(4, 6, 9, Head::Categorical(2)), 4, Commands::Choices(2)),
        (Layout::recurrent(3 + 11, 6, 9, Head::Gaussian(1)).looking_back(1), 3, vector(1)),
        // two transitions of 3 + 1 + 1 + 6 values behind the observation
        (Layout::new(3 + 22, &[9], Head::Gaussian(1)).looking_back(2), 3, vector(1)),
        (Layout::context((3, 3 + 22), &[5], 2, &[9], Head::Gaussian(1)).looking_back(2), 3, vector(1)),
    ];
    let form = |(at, (layout, readings, commands)): (usize, (Layout, usize, Commands))| {
        let params = layout.init(-0.5, || 0.25);
        let gradient = matches!(layout.core(), Core::Feedforward);
        let adaptation = gradient.then(|| Adaptation {
            loss: if at % 2 == 0 { InnerLoss::Score } else { InnerLoss::LVC },
            gamma: 0.99,
            gae_lambda: 0.95,
            rates: (0..params.len()).map(|k| k as f32 / 8.0).collect(),
            episodes: 20,
            horizon: 200,
            steps: 1,
        });
        let normalizer = Normalizer::new(vec![0.5; layout.obs_dim()], vec![3.0; layout.obs_dim()]);
        let layout = if at % 3 == 0 { layout.normalizing(Some(Arc::new(normalizer))) } else { layout };
        let rate_limit = matches!((at, commands), (1 | 5, Commands::Vector { .. })).then_some(0.25);
        Form { layout, readings, commands, rate_limit, params, adaptation }
    };
    shapes.into_iter().enumerate().map(form).collect()
}

#[test]
fn a_policy_comes_back_from_its_file() {
    for form in forms() {
        assert_eq!(Form::from_bytes(&form.to_bytes()), Ok(form));
    }
}

#[test]
fn the_first_numbers_of_a_file_by_hand() {
    let layout = Layout::new(2, &[], Head::Categorical(2));
    let params = vec![1.0, -2.0, 0.5, 0.0, 0.25, 8.0];
    let commands = Commands::Choices(2);
    let form = Form { layout, readings: 2, commands, rate_limit: None, params, adaptation: None };
    let bytes = form.to_bytes();
    // version; observation, window; head and its choices; tanh; perceptron without hidden layers; nothing added;
    // no normaliser; readings; choices and their number, then their scale 1
    let counts = [1, 2, 0, 0, 2, 0, 0, 0, 0, 0, 0, 2, 0, 2];
    let numbers = [1.0_f32, 1.0, -2.0, 0.5, 0.0, 0.25, 8.0];
    let mut expected = b"MDPOLICY".to_vec();
    counts.iter().for_each(|count: &u32| expected.extend(count.to_le_bytes()));
    numbers.iter().for_each(|number| expected.extend(number.to_le_bytes()));
    expected.extend(0_u32.to_le_bytes());
    assert_eq!(bytes[..bytes.len() - 4], expected);
}

#[test]
fn damage_is_noticed_wherever_it_is() {
    let bytes = forms()[2].to_bytes();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let found = Form::from_bytes(&damaged).unwrap_err();
        match at {
            0..8 => assert_eq!(found, Malformed::NotAPolicy),
            8..12 => assert!(matches!(found, Malformed::Version(_)), "{found:?}"),
            _ => assert_eq!(found, Malformed::Damaged, "byte {at}"),
        }
        assert!(Form::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
    }
    let told = Malformed::Version(2).to_string();
    assert!(told.contains("format 2") && told.contains("format 1"), "{told}");
}

#[test]
fn a_sum_that_is_right_does_not_make_nonsense_a_policy() {
    let form = forms().swap_remove(0);
    let bytes = form.to_bytes();
    for at in 12..bytes.len() - 4 {
        for value in [0x00, 0x01, 0x7f, 0xff] {
            let mut changed = bytes[..bytes.len() - 4].to_vec();
            changed[at] = value;
            let sum = crc32(&changed);
            changed.extend_from_slice(&sum.to_le_bytes());
            // any result will do but a panic
            if let Ok(form) = Form::from_bytes(&changed) {
                crate::Policy::new(form);
            }
        }
    }
}
