//! Tests of shapes of policies.

use super::*;

#[test]
fn counts_a_64_64_policy_by_hand() {
    // the sum is 4*64 + 64 + 64*64 + 64 + 64*2 + 2
    assert_eq!(Layout::new(4, &[64, 64], Head::Categorical(2)).num_params(), 4610);
    let gaussian = Layout::new(3, &[64, 64], Head::Gaussian(1));
    assert_eq!(gaussian.num_params(), 3 * 64 + 64 + 64 * 64 + 64 + 64 + 1 + 1);
    assert_eq!(gaussian.log_std(), Some(gaussian.num_params() - 1..gaussian.num_params()));
    assert_eq!((gaussian.num_layers(), gaussian.blocks().len()), (3, 7));
}

#[test]
fn initial_weights_scale_with_fan_in() {
    let layout = Layout::new(4, &[8], Head::Gaussian(2));
    let params = layout.init(-0.5, || 1.0);
    assert_eq!(params[0], 0.5);
    assert_eq!(params[4 * 8], 0.0);
    assert_eq!(params[4 * 8 + 8], 0.01 / 8f32.sqrt());
    assert_eq!(params[layout.log_std().unwrap()], [-0.5, -0.5]);
}
