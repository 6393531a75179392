//! The order of trials by one objective or several: Pareto fronts.

use super::file::Direction;

/// Values as costs: of each, less is better.
pub fn costs(values: &[f64], directions: &[Direction]) -> Vec<f64> {
    let cost = |(value, direction): (&f64, &Direction)| match direction {
        Direction::Minimize => *value,
        Direction::Maximize => -value,
    };
    values.iter().zip(directions).map(cost).collect()
}

/// True if `a` is nowhere worse than `b`, and better somewhere.
fn dominates(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| a <= b) && a.iter().zip(b).any(|(a, b)| a < b)
}

/// Indices of the costs that no other dominates.
pub fn front(costs: &[Vec<f64>]) -> Vec<usize> {
    let is_free = |at: &usize| !costs.iter().any(|other| dominates(other, &costs[*at]));
    (0..costs.len()).filter(is_free).collect()
}

/// Indices of the costs, the best first: by front after front (Goldberg, 1989, as in NSGA-II), within one by the sum of
/// their places by each objective, then as they come. With one objective that is the order of its costs.
pub fn best_first(costs: &[Vec<f64>]) -> Vec<usize> {
    let objectives = costs.first().map_or(0, Vec::len);
    let by = |objective: usize| {
        let mut order: Vec<usize> = (0..costs.len()).collect();
        order.sort_by(|a, b| costs[*a][objective].total_cmp(&costs[*b][objective]));
        order
    };
    if objectives == 1 {
        return by(0);
    }
    let mut places = vec![0; costs.len()];
    for objective in 0..objectives {
        by(objective).into_iter().enumerate().for_each(|(place, at)| places[at] += place);
    }
    let (mut order, mut left) = (Vec::new(), (0..costs.len()).collect::<Vec<_>>());
    while !left.is_empty() {
        let of_left: Vec<Vec<f64>> = left.iter().map(|at| costs[*at].clone()).collect();
        let mut next: Vec<usize> = front(&of_left).into_iter().map(|at| left[at]).collect();
        left.retain(|at| !next.contains(at));
        next.sort_by_key(|at| places[*at]);
        order.append(&mut next);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fronts_are_those_of_a_hand() {
        // return (more is better) and steps (less is better); c is worse than b in both, e equals b in one and loses in the other
        let rows = [[500.0, 90.0], [400.0, 50.0], [390.0, 60.0], [100.0, 10.0], [400.0, 55.0]];
        let directions = [Direction::Maximize, Direction::Minimize];
        let costs: Vec<Vec<f64>> = rows.iter().map(|row| costs(row, &directions)).collect();
        assert_eq!(front(&costs), [0, 1, 3]);
        // places by return: 0 1 3 4 2, by steps: 4 1 3 0 2; sums 4 2 6 4 4. The second front is e, the third c
        assert_eq!(best_first(&costs), [1, 0, 3, 4, 2]);
        let one: Vec<Vec<f64>> = [3.0, 1.0, 2.0, 1.0].map(|cost| vec![cost]).into();
        assert_eq!((best_first(&one), front(&one)), (vec![1, 3, 2, 0], vec![1, 3]));
    }
}
