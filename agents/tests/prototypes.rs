//! The loss of prototypical networks by hand, and its gradient against differences.

use crate::synthetic::{Lcg, differences, distance};
use metadrift_agents::{
    layout::{Activation, Layout},
    native::{Labelled, PrototypeGradients, cross_entropy, prototypes},
};

#[test]
fn logits_and_loss_are_those_by_hand() {
    // class means (1, 0) and (4, 2)
    let support = [0.0, 1.0, 2.0, -1.0, 3.0, 2.0, 5.0, 2.0];
    let labels = [0, 0, 1, 1];
    assert_eq!(prototypes(&support, 2, &labels), (vec![1.0, 0.0, 4.0, 2.0], vec![2, 2]));
    // (2, 1): squared distances 2 and 5; (4, 0): 9 and 4, with the label of the farther mean
    let embedded = [&support[..], &[2.0, 1.0, 4.0, 0.0]].concat();
    let (_, loss) = cross_entropy::<f64>(&embedded, 2, &[0, 0, 1, 1, 0, 0], 4);
    let expected = f64::midpoint((1.0 + (-3.0f64).exp()).ln(), (1.0 + 5.0f64.exp()).ln());
    assert!((loss - expected).abs() < 1e-12, "{loss} {expected}");
}

#[test]
fn the_gradient_is_that_of_the_loss_also_through_the_class_means() {
    // the second task has more examples than a tile, and classes of different sizes
    for (support, query) in [(6, 9), (20, 130)] {
        for activation in [Activation::Tanh, Activation::Relu] {
            for hidden in [&[5, 4][..], &[6], &[]] {
                let mut rng = Lcg(29);
                let layout = Layout::plain(3, hidden, 2).with_activation(activation);
                let mut numbers = |count: usize| (0..count).map(|_| f64::from(rng.normal())).collect::<Vec<f64>>();
                let params: Vec<f64> = numbers(layout.num_params()).iter().map(|p| 0.5 * p).collect();
                let labels = (0..support + query).map(|at| if at < 17 { at % 3 } else { 0 }).collect();
                let data = Labelled { inputs: numbers(3 * (support + query)), labels, support };
                let mut gradients = PrototypeGradients::<f64>::new(layout);
                let (gradient, _) = gradients.gradient(&params, &data);
                let expected = differences(&params, |at| gradients.gradient(at, &data).1);
                let apart = distance(&gradient, &expected);
                assert!(apart < 1e-6, "{hidden:?} {activation:?} {support}: {apart}");
            }
        }
    }
}
